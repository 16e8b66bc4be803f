"""The DAG as Airflow runs it: a dry run, an erasure, and that nothing is written before somebody approved it."""

import json
from pathlib import Path
from typing import Any

import pytest

from embedding_lakehouse.core.forgetting_tables import ERASURES, FORGOTTEN_DOCUMENTS
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS
from tests.batches import put_documents
from tests.index_fixtures import API_KEY
from tests.release_fixtures import Rebuilding

DAG_FILE = Path(__file__).parents[3] / "dags" / "forget_documents.py"
APPROVAL = "approve_erasure"


@pytest.fixture(autouse=True)
def in_airflow(airflow_database: Path, rebuilding: Rebuilding, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "generic", "host": rebuilding.service.host, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINECONE_DEFAULT", json.dumps(connection))


def read_dag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAG_FILE).dags["forget_documents"]


def run_dag(**params: Any) -> dict[str, str]:
    """One run of the DAG, in which the approval is taken for given; the state of each task."""
    instances = read_dag().test(run_conf=params, mark_success_pattern=APPROVAL).get_task_instances()
    return {instance.task_id: str(instance.state) for instance in instances}


def test_nothing_but_the_plan_comes_before_the_approval() -> None:
    dag = read_dag()
    assert dag.get_task(APPROVAL).get_flat_relative_ids(upstream=False) == set(dag.task_ids) - {"plan_erasure", APPROVAL}


def test_a_run_is_a_dry_one_until_told_otherwise(rebuilding: Rebuilding) -> None:
    lake = rebuilding.lake
    put_documents(lake, {"private": "A private text.", "kept": "A text that stays."})
    dry = run_dag(doc_ids=["private"])
    assert dry.pop(APPROVAL) in ("skipped", "success")
    assert set(dry.values()) == {"skipped"}
    assert lake.table(FORGOTTEN_DOCUMENTS).scan().count() == 0

    done = run_dag(doc_ids=["private"], dry_run=False, requested_by="somebody", reason="ticket 1")
    assert set(done.values()) == {"success"}
    assert lake.table(SOURCE_DOCUMENTS).scan().to_arrow()["doc_id"].to_pylist() == ["kept"]
    assert lake.table(ERASURES).scan().to_arrow()["state"].to_pylist() == ["finished"]
