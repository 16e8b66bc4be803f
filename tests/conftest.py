"""One home for the whole test session, with a real Trino, a Pinecone server and Airflow's settings in it; started when first asked for."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack import Stack, prepare_airflow
from dev.stack.component import ROOT
from tests.last_will import TOKEN

HOME = Path(tempfile.mkdtemp(prefix="lakehouse-tests-"))
STACK = Stack(HOME)
STACK.choose_ports()
# Airflow takes its settings when it is first imported, and without these it would work in the home of whoever runs the tests.
os.environ.update(STACK.environment())
os.environ[TOKEN] = secrets.token_hex(8)
LAST_WILL = subprocess.Popen([sys.executable, "-m", "tests.last_will", str(HOME)], cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)


def pytest_unconfigure() -> None:
    STACK.stop()
    LAST_WILL.communicate()


def _started(*names: str) -> Stack:
    STACK.start(names)
    # A port can have been lost to somebody else since it was chosen.
    os.environ.update(STACK.environment())
    return STACK


@pytest.fixture(scope="session")
def trino_stack() -> Stack:
    """The session's stack with Trino running: `.ports["trino"]`, `.home`, `.environment()`."""
    return _started("trino")


@pytest.fixture(scope="session")
def pinecone_stack() -> Stack:
    """The session's stack with the Pinecone server running: `.ports["pinecone"]`, `.credentials.pinecone_api_key`."""
    return _started("pinecone")


@pytest.fixture(scope="session")
def lake_environment(trino_stack: Stack, pinecone_stack: Stack) -> Stack:
    """The session's stack with Trino and the Pinecone server running, and Airflow's connections to both in the environment."""
    return trino_stack


@pytest.fixture(scope="session")
def airflow_database() -> Path:
    """Airflow's home folder, with a migrated database: what `dag.test()` needs."""
    prepare_airflow(HOME, STACK.environment(), STACK.credentials, HOME / "logs" / "airflow-db-migrate.log")
    return HOME / "airflow"


@pytest.fixture(scope="module", autouse=True)
def no_store_of_another_module() -> None:
    """Airflow keeps the object storage behind a connection for a process's lifetime, though another module's connection leads elsewhere."""
    if store := sys.modules.get("airflow.sdk.io.store"):
        store._STORE_CACHE.clear()


@pytest.fixture
def own_home(tmp_path: Path) -> Iterator[Path]:
    """A home folder for a test that needs a stack of its own; whatever was started in it is stopped."""
    with Stack(tmp_path / "home") as stack:
        yield stack.home
