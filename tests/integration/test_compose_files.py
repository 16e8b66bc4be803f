"""What docker-compose.yaml mounts, run here without Docker: Trino and PyIceberg on a REST catalog and S3, as the file tells both, and the
init script. moto stands for SeaweedFS's S3, and Iceberg's own test server for its catalog.
"""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from dev.stack.component import ROOT
from dev.stack.ports import HOST, free_port
from dev.stack.programs import Programs
from dev.stack.trino_server import trino_component
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.sql import statements
from embedding_lakehouse.steps.set_up import create_tables, create_views
from tests.batches import current_documents, put_documents, run_batch
from tests.compose import environment_of
from tests.lake_fixtures import module_profiles
from tests.rest_catalog import rest_catalog

__all__ = ["module_profiles"]

CATALOGS = ROOT / "dev" / "compose" / "trino"
TRINO_SECONDS = 240


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 with the bucket of the tables."""
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x").create_bucket(
        Bucket="lakehouse"
    )
    yield address
    server.stop()


@pytest.fixture(scope="module")
def compose_lake(s3: str, tmp_path_factory: pytest.TempPathFactory, module_profiles: Path) -> Iterator[Lake]:
    """The lake behind the connections of the compose file, with its Trino catalog, every table and every view."""
    folder = tmp_path_factory.mktemp("compose")
    told = environment_of("trino")
    with rest_catalog(folder, s3, told) as catalog, pytest.MonkeyPatch.context() as patch:
        here = {"http://seaweedfs:8181": catalog, "http://seaweedfs:8333": s3}
        with trino(folder, _moved(told, here)) as port:
            here['"host": "trino", "port": 8080'] = f'"host": "{HOST}", "port": {port}'
            for name, value in _moved(environment_of("airflow-scheduler"), here).items():
                if name.startswith("AIRFLOW_CONN_"):
                    patch.setenv(name, value)
            lake = connect()
            create_tables(lake=lake)
            create_views(lake)
            yield lake


def _moved(environment: dict[str, str], here: dict[str, str]) -> dict[str, str]:
    """The same, with the servers of this test in place of the services of the compose file."""
    moved = dict(environment)
    for service, server in here.items():
        moved = {name: value.replace(service, server) for name, value in moved.items()}
    return moved


@contextmanager
def trino(home: Path, environment: dict[str, str]) -> Iterator[int]:
    """Run Trino with the catalog files of the compose file and the environment that it tells; yields its port."""
    port = free_port(0)
    component = trino_component(home, port, CATALOGS)
    # Where it listens is the one thing that differs.
    ours = {name: environment[name] for name in environment if not name.startswith("TRINO_")}
    programs = Programs(home, ROOT)
    started = programs.start(replace(component.program, environment={**ours, **component.program.environment}))
    try:
        deadline = time.monotonic() + TRINO_SECONDS
        while (trouble := component.probe(started)) and time.monotonic() < deadline and programs.running("trino"):
            time.sleep(0.5)
        assert trouble is None, f"Trino {trouble}: {programs.log('trino').read_text()[-2000:]}"
        yield port
    finally:
        programs.stop(["trino"])


def test_batches_are_committed_audited_and_published_over_a_rest_catalog(compose_lake: Lake) -> None:
    put_documents(compose_lake, {"a": "# One\n\nThe first text.", "b": "# Two\n\nThe second text."})
    run_batch(compose_lake)
    put_documents(compose_lake, {"a": "# One\n\nThe first text, edited.", "c": "# Three\n\nA third text."})
    run_batch(compose_lake)
    assert set(current_documents(compose_lake)) == {"a", "c"}


def test_views_open_over_a_rest_catalog(compose_lake: Lake) -> None:
    with closing(compose_lake.sql.connect()) as connection:
        views = (
            connection.cursor().execute("select table_name from information_schema.views where table_schema = 'embeddings_db'").fetchall()
        )
        assert connection.cursor().execute("select * from profile_coverage").fetchall() is not None
    assert {f"views/{name}" for (name,) in views} == set(statements("views"))


def test_the_init_script_migrates_the_database_and_keeps_the_password_to_its_owner(airflow_database: Path, tmp_path: Path) -> None:
    password = 'quotes " and \\ backslashes'
    file = tmp_path / "passwords.json"
    told = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(file), "LAKEHOUSE_AIRFLOW_PASSWORD": password}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = ROOT / "dev" / "compose" / "init.sh"
    done = subprocess.run(["bash", script], env={**os.environ, **told, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(file.read_text()) == {"admin": password}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
