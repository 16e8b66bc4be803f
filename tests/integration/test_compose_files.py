"""What docker-compose.yaml mounts, run here without Docker: Trino and PyIceberg on a REST catalog and S3, as the file tells both, and the
init script. The main way goes through all of it. moto stands for SeaweedFS's S3, and Iceberg's own test server for its catalog.
"""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from dev.stack.component import ROOT
from dev.stack.ports import HOST
from tests.compose import environment_of
from tests.lake_fixtures import declare, declared_profiles
from tests.lake_trino import lake_trino
from tests.main_way import PROFILE, MainWay, Way, index_server
from tests.rest_catalog import rest_catalog

CATALOGS = ROOT / "dev" / "compose" / "trino"
KEYS = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 with the bucket of the tables."""
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=address, **KEYS).create_bucket(Bucket="lakehouse")
    yield address
    server.stop()


@pytest.fixture(scope="module")
def way(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """The lake behind the connections of the compose file, with its Trino catalog."""
    folder = tmp_path_factory.mktemp("compose")
    told = environment_of("trino")
    here = {"http://seaweedfs:8333": s3}
    with rest_catalog(folder, s3, told) as catalog:
        here["http://seaweedfs:8181"] = catalog
        # Where it listens is the one thing that differs.
        ours = {name: value for name, value in _moved(told, here).items() if not name.startswith("TRINO_")}
        with (
            declared_profiles(folder / "profiles.toml") as profiles,
            index_server(folder / "index", ours | {"AWS_ENDPOINT_URL_S3": s3}) as service,
            lake_trino(folder, CATALOGS, ours) as port,
            pytest.MonkeyPatch.context() as patch,
        ):
            declare(profiles, PROFILE)
            here['"host": "trino", "port": 8080'] = f'"host": "{HOST}", "port": {port}'
            for name, value in _moved(environment_of("airflow-scheduler"), here).items():
                if name.startswith("AIRFLOW_CONN_"):
                    patch.setenv(name, value)
            yield Way(boto3.resource("s3", endpoint_url=s3, **KEYS).create_bucket(Bucket="handbooks"), service)


def _moved(environment: dict[str, str], here: dict[str, str]) -> dict[str, str]:
    """The same, with the servers of this test in place of the services of the compose file."""
    moved = dict(environment)
    for service, server in here.items():
        moved = {name: value.replace(service, server) for name, value in moved.items()}
    return moved


class TestOnARestCatalog(MainWay):
    """The whole story, told by the steps, since each DAG's task is one of them."""


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
