"""The main way on Glue and S3, by the files and connections of docs/lakes.md: the real PyIceberg and Trino, moto's Glue and S3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.stack.component import ROOT
from tests.aws_server import ROLE, AwsServer, aws_server
from tests.lake_fixtures import declare, declared_profiles
from tests.lake_trino import lake_trino
from tests.main_way import PROFILE, MainWay, Way, connections, index_server

CATALOGS = ROOT / "dev" / "glue" / "trino"
ICEBERG = {"conn_type": "iceberg", "extra": {"type": "glue", "warehouse": "s3://company-lake/lakehouse", "client.region": "eu-central-1"}}
AWS = {"conn_type": "aws", "extra": {"region_name": "eu-central-1"}}


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
        for name, value in (role | connections(service, port, iceberg_connection(aws), AWS)).items():
            patch.setenv(name, value)
        yield Way(aws.create_bucket("company-documents"), service)


def iceberg_connection(aws: AwsServer) -> dict[str, Any]:
    """The one of the page. PyArrow knows no environment variable for an endpoint."""
    return ICEBERG | {"extra": ICEBERG["extra"] | {"s3.endpoint": aws.address}}


class TestOnGlue(MainWay):
    """The whole story, over connections without a key."""
