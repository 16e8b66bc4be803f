"""Athena as far as it goes without an account: the provider's hook, PyAthena and boto3 against moto's server."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from embedding_lakehouse.clients import sql
from embedding_lakehouse.clients.sql import SqlEngine, engine_from_connection
from tests.athena_stand_in import AthenaStandIn, moto_server

EXTRA = {"region_name": "us-east-1", "work_group": "primary", "s3_staging_dir": "s3://lake/athena/"}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of moto's server."""
    with moto_server() as address:
        yield address


@pytest.fixture
def athena(moto: str) -> Iterator[AthenaStandIn]:
    """Athena, with nothing planned."""
    with AthenaStandIn(moto) as stand_in:
        yield stand_in


@pytest.fixture
def connected(athena: AthenaStandIn, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SqlEngine]:
    """Makes the engine behind a connection of type `athena`; extras given as None are left out."""

    def engine(conn_type: str = "athena", login: str | None = "testing", patience: float = 20, **extra: Any) -> SqlEngine:
        extras = {"endpoint_url": athena.address, **EXTRA, **extra}
        connection = {"conn_type": conn_type, "login": login, "password": login, "schema": "embeddings_db"}
        connection["extra"] = {name: value for name, value in extras.items() if value is not None}
        monkeypatch.setenv("AIRFLOW_CONN_TRINO_DEFAULT", json.dumps(connection))
        return replace(engine_from_connection(), patience=patience)

    return engine


@pytest.fixture
def engine(connected: Callable[..., SqlEngine]) -> SqlEngine:
    """The engine behind a complete connection."""
    return connected()


@pytest.fixture(autouse=True)
def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of statements of the test's own."""
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_SQL", str(tmp_path))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ATHENA_WORK_GROUP", "AWS_ATHENA_S3_STAGING_DIR"):
        monkeypatch.delenv(name, raising=False)
    sql.statement.cache_clear()
    (tmp_path / "one.sql").write_text("select 1 as one")
    (tmp_path / "find.sql").write_text("select a, b from t where a = ? and b in (?)")
    yield tmp_path
    sql.statement.cache_clear()
