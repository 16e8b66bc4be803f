"""The DAG as Airflow runs it."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.index_fixtures import API_KEY, Following, difference
from tests.integration.reconcile_index.test_comparison import CORPUS, put
from tests.lake_builder import LakeBuilder

DAG_FILE = Path(__file__).parents[3] / "dags" / "reconcile_index.py"
COMPARING = {"plan_reconciliation", "compare_part", "conclude_reconciliation"}
REPAIRING = {"propose_repair", "approve_repair", "plan_repair"} | {
    f"repair.{task}" for task in ("upsert_records", "verify_records", "delete_records", "record_sync")
}


@pytest.fixture(autouse=True)
def in_airflow(airflow_database: Path, following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "generic", "host": following.service.host, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINECONE_DEFAULT", json.dumps(connection))


def run_dag(**params: object) -> dict[str, str]:
    """One run of the DAG; the state of each task (all states, where its instances differ)."""
    from airflow.dag_processing.dagbag import DagBag

    states = defaultdict[str, set[str]](set)
    for instance in DagBag(DAG_FILE).dags["reconcile_index"].test(run_conf=params).get_task_instances():
        states[instance.task_id].add(str(instance.state))
    return {task: " ".join(sorted(found)) for task, found in states.items()}


def test_an_equal_index_ends_after_the_conclusion(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    assert run_dag() == dict.fromkeys(COMPARING, "success") | dict.fromkeys(REPAIRING, "skipped")


def test_a_repair_below_the_limit_runs_by_itself(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    following.index.delete(following.namespace, sorted(builder.current())[:2])
    put(following, ["foreign"])
    assert run_dag() == dict.fromkeys(COMPARING | REPAIRING, "success")
    assert difference(builder, following.records()) == {}
