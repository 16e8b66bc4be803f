"""The main way on Glue and S3, by the files and connections of docs/lakes.md: the real PyIceberg and Trino, moto's Glue and S3."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack.component import ROOT
from dev.stack.ports import HOST
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.core.monitoring_tables import DRIFT_VERDICTS
from tests.aws_server import ROLE, AwsServer, aws_server
from tests.index_fixtures import API_KEY
from tests.lake_fixtures import declare, declared_profiles
from tests.lake_trino import lake_trino
from tests.main_way import PROFILE, DagWay, MainWay, Way, index_server

CATALOGS = ROOT / "dev" / "glue" / "trino"
PAGE = ROOT / "docs" / "lakes.md"
# The connections of the page, the first of its examples.
SHOWN = json.loads(re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)[0])


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with aws_server() as server:
        yield server


@pytest.fixture(scope="module")
def way(airflow_database: Path, aws: AwsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Connections without a key: every program finds the keys of its role itself."""
    folder = tmp_path_factory.mktemp("glue")
    aws.create_bucket("company-lake")
    role = ROLE | {"AWS_ENDPOINT_URL_GLUE": aws.address, "AWS_ENDPOINT_URL_S3": aws.address}
    with (
        declared_profiles(folder / "profiles.toml") as profiles,
        index_server(folder / "index", role) as service,
        lake_trino(folder, CATALOGS, role) as port,
        pytest.MonkeyPatch.context() as patch,
    ):
        declare(profiles, PROFILE)
        for name, value in (role | environment(aws, service, port)).items():
            patch.setenv(name, value)
        yield DagWay(aws.create_bucket("company-documents"), service)


def environment(aws: AwsServer, service: IndexService, port: int) -> dict[str, str]:
    """The connections of the page, led to the servers of this test. PyArrow knows no environment variable for an endpoint."""
    here = {
        "iceberg_default": {"extra": SHOWN["iceberg_default"]["extra"] | {"s3.endpoint": aws.address}},
        "trino_default": {"host": HOST, "port": port, "extra": SHOWN["trino_default"]["extra"] | {"protocol": "http"}},
        "pinecone_default": {"conn_type": "generic", "host": service.host, "password": API_KEY},
    }
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(SHOWN.get(name, {}) | here.get(name, {})) for name in SHOWN.keys() | here.keys()}


class TestOnGlue(MainWay):
    """The whole story, told by the DAGs."""

    def test_drift_is_measured(self, way: DagWay) -> None:
        way.run("monitor_embeddings")
        assert way.rows(DRIFT_VERDICTS)

    def test_only_wanted_prefixes_are_listed(self, way: DagWay, aws: AwsServer) -> None:
        listed = {(request.path, request.query["prefix"]) for request in aws.requests if "list-type" in request.query}
        assert {prefix for bucket, prefix in listed if bucket == "/company-documents"} == {"handbook/"}
        assert {prefix.startswith("lakehouse/") for bucket, prefix in listed if bucket == "/company-lake"} == {True}

    def test_every_request_is_made_with_the_keys_of_the_role(self, way: DagWay, aws: AwsServer) -> None:
        assert {request.key_id for request in aws.requests} == {ROLE["AWS_ACCESS_KEY_ID"]}
