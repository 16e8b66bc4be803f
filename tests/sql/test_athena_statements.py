"""Every statement as it goes to Athena, run on a real Trino: over a lake that was filled, synced, rebuilt and rolled back through it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from trino.dbapi import connect

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.sql import SqlEngine, engine_from_connection, statements
from tests.athena_stand_in import START, AthenaOnTrino
from tests.drift_fixtures import Monitoring, corpus
from tests.filled_lake import FilledLake
from tests.index_fixtures import API_KEY, declaration
from tests.lake_fixtures import PROFILES, declare


class ThroughAthena:
    """A lake filled through Athena's door, and the same tables through Trino's."""

    def __init__(self, lake: Lake, athena: SqlEngine, service: IndexService, profile: str) -> None:
        self.trino = lake.sql
        self.filled = FilledLake(Lake(lake.catalog, athena), profile, service)
        self.athena = athena


@pytest.fixture(scope="module")
def stand_in(trino_stack) -> Iterator[AthenaOnTrino]:
    """Athena, on the session's Trino."""
    place = {"host": "127.0.0.1", "port": trino_stack.ports["trino"], "user": "airflow", "catalog": "lakehouse"}
    server = AthenaOnTrino(lambda: connect(**place, timezone="UTC"))
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture(scope="module")
def through(module_lake: Lake, module_profiles: Path, faulty_server: str, stand_in: AthenaOnTrino) -> ThroughAthena:
    extra = {"region_name": "us-east-1", "work_group": "primary", "endpoint_url": stand_in.address}
    connection = {"conn_type": "athena", "login": "testing", "password": "testing", "schema": "embeddings_db", "extra": extra}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ATHENA", json.dumps(connection))
        engine = engine_from_connection("athena")
        engine.rows("page/list_batch_states")
    name = f"athena-{uuid4().hex[:8]}"
    declare(module_profiles, f"{declaration(name)}usd_per_million_tokens = 1000\n{PROFILES}")
    return ThroughAthena(module_lake, engine, IndexService(API_KEY, faulty_server, patience=20), name)


def without_zone(value: Any) -> Any:
    """A time in UTC as Athena's views have it; anything else as it is."""
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return [without_zone(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("path", statements("dashboards"))
def test_a_dashboard_answers_the_same_through_both(through: ThroughAthena, path: str) -> None:
    assert without_zone(through.athena.rows(path)) == without_zone(through.trino.rows(path))


def test_what_was_filled_through_athena_passed_its_audit(through: ThroughAthena) -> None:
    states = {batch_id: row["state"] for batch_id, row in through.filled.batches.items()}
    assert (states[through.filled.first], states[through.filled.second]) == ("published", "rejected")


def test_drift_is_measured_through_athena(through: ThroughAthena) -> None:
    monitoring = Monitoring(through.filled.lake)
    monitoring.embed(corpus(12))
    first = monitoring.monitor()
    monitoring.embed(corpus(16))
    assert monitoring.monitor(baseline=first["monitor_id"])["is_drift"] in (True, False)


def test_a_view_has_no_time_that_athena_cannot_keep(through: ThroughAthena, stand_in: AthenaOnTrino) -> None:
    created = [body["QueryString"] for body in stand_in.asked(START) if body["QueryString"].startswith("create or replace view")]
    assert len(created) >= len(statements("views"))
    assert any("as timestamp(3)) as" in text for text in created)
