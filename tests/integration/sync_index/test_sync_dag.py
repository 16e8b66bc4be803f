"""The DAG as Airflow runs it."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.index_fixtures import API_KEY, Following, difference
from tests.lake_builder import LakeBuilder

DAG_FILE = Path(__file__).parents[3] / "dags" / "sync_index.py"
AFTER_THE_PLAN = {"upsert_records", "verify_records", "delete_records", "record_sync"}


@pytest.fixture(autouse=True)
def in_airflow(airflow_database: Path, following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    connect_to(following.service.host, monkeypatch)


def connect_to(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PINECONE_DEFAULT", json.dumps({"conn_type": "generic", "host": host, "password": API_KEY}))


def run_dag() -> dict[str, str]:
    """One run of the DAG; the state of each task (all states, where its instances differ)."""
    from airflow.dag_processing.dagbag import DagBag

    states = defaultdict[str, set[str]](set)
    for instance in DagBag(DAG_FILE).dags["sync_index"].test().get_task_instances():
        states[instance.task_id].add(str(instance.state))
    return {task: " ".join(sorted(found)) for task, found in states.items()}


def test_a_run_leads_the_index_to_the_lake(builder: LakeBuilder, following: Following):
    builder.publish({"a.md": ["a one", "a two"], "b.md": ["b one"]})
    assert run_dag() == dict.fromkeys({"plan_sync", *AFTER_THE_PLAN}, "success")
    assert difference(builder, following.records()) == {}


def test_an_index_that_is_up_to_date_is_never_called(
    builder: LakeBuilder, following: Following, unused_port: int, monkeypatch: pytest.MonkeyPatch
):
    builder.publish({"a.md": ["a one", "a two"]})
    following.sync()
    # Nobody listens there, so a single call would fail the run.
    connect_to(f"http://127.0.0.1:{unused_port}", monkeypatch)
    assert run_dag() == {"plan_sync": "success"} | dict.fromkeys(AFTER_THE_PLAN, "skipped")


def test_an_index_that_was_never_created_fails_at_once(builder: LakeBuilder, following: Following):
    builder.publish({"a.md": ["a one"]})
    following.delete_index()
    states = run_dag()
    assert (states["upsert_records"], states["record_sync"]) == ("failed", "upstream_failed")
