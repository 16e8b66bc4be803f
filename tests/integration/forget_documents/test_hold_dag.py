"""A legal hold as runs of DAGs: put by the documents' ids, kept by maintenance, in the way of an erasure until it is lifted."""

import json
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.maintenance_runs import maintenance_rows
from embedding_lakehouse.core.forgetting_tables import ERASURES, FORGOTTEN_DOCUMENTS
from embedding_lakehouse.core.monitoring_tables import ALERTS
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS
from tests.batches import put_documents, run_batch
from tests.forgetting_fixtures import hits
from tests.index_fixtures import API_KEY
from tests.maintenance_fixtures import files_older_by, history_older_by

DAGS = Path(__file__).parents[3] / "dags"
MONTH = timedelta(days=30)
HELD = "contract.md"
# The contract and the menu, as they were published one after the other.
EDITIONS = [("The rent is nine.", "Soup."), ("The rent is nine.", "Bread."), ("The rent is eleven.", "Cheese.")]
OLD_RULES = {"snapshot_days": 1, "receipt_days": 1, "orphan_days": 1, "dry_run": False, "tables": [SOURCE_DOCUMENTS.name]}
ASKED = {"doc_ids": [HELD], "dry_run": False, "requested_by": "somebody", "reason": "ticket 1"}


@pytest.fixture
def lake(own_lake: Lake, airflow_database: Path, faulty_server: str, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The lake behind Airflow's connections, empty."""
    connection = {"conn_type": "generic", "host": faulty_server, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINECONE_DEFAULT", json.dumps(connection))
    return own_lake


@pytest.fixture
def snapshots(lake: Lake) -> list[int]:
    """The source's snapshot of each edition, all of them embedded a month ago."""
    found = []
    for contract, menu in EDITIONS:
        put_documents(lake, {HELD: contract, "menu.md": menu})
        found.append(head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id)
        run_batch(lake)
    history_older_by(lake, SOURCE_DOCUMENTS, MONTH)
    files_older_by(lake, SOURCE_DOCUMENTS, MONTH)
    journal(lake).change(lambda rows: [row | {"planned_at": row["planned_at"] - MONTH} for row in rows])
    return found


def run_dag(dag: str, /, **params: Any) -> tuple[str, dict[str, set[str]]]:
    """One run of a DAG, in which an approval is taken for given: its id, and its tasks by their state."""
    from airflow.dag_processing.dagbag import DagBag

    states = defaultdict[str, set[str]](set)
    run = DagBag(DAGS / f"{dag}.py").dags[dag].test(run_conf=params, mark_success_pattern="approve_.*")
    for instance in run.get_task_instances():
        states[str(instance.state)].add(instance.task_id)
    return run.run_id, dict(states)


def texts(lake: Lake, snapshot: int | None = None) -> set[str]:
    """The texts of the source as a snapshot has them, or as they are."""
    return set(lake.table(SOURCE_DOCUMENTS).scan(snapshot_id=snapshot).to_arrow()["document_text"].to_pylist())


def held(lake: Lake) -> dict[str, int]:
    """The tags of holds in the source with the snapshots that they keep."""
    return {name: ref.snapshot_id for name, ref in lake.table(SOURCE_DOCUMENTS).refs().items() if name.startswith("hold-")}


def test_a_hold_keeps_texts_from_maintenance_and_from_an_erasure_until_it_is_lifted(
    lake: Lake, snapshots: list[int], trino_stack: Stack
) -> None:
    first, second, last = snapshots
    _, states = run_dag("hold_documents", name="case-7", doc_ids=[HELD])
    assert states == {"success": {"hold_documents"}}
    assert held(lake) == {f"hold-case-7.{snapshot}": snapshot for snapshot in (first, last)}

    run_id, states = run_dag("maintain_tables", **OLD_RULES)
    assert states.keys() == {"success"}
    (row,) = maintenance_rows(lake, run_id)
    assert row["snapshots_expired"] > 0 and row["files_removed"] > 0
    assert lake.table(SOURCE_DOCUMENTS).snapshot_by_id(second) is None
    assert (texts(lake, first), texts(lake)) == (set(EDITIONS[0]), set(EDITIONS[2]))

    run_id, states = run_dag("forget_documents", **ASKED)
    assert states["failed"] == {"plan_erasure"} and states.keys() == {"failed", "upstream_failed"}
    (alert,) = [row for row in lake.table(ALERTS).scan().to_arrow().to_pylist() if row["run_id"] == run_id]
    assert "the hold 'case-7' keeps snapshots that have these documents: lift it (hold_documents), or name it in" in alert["message"]
    assert lake.table(FORGOTTEN_DOCUMENTS).scan().count() == lake.table(ERASURES).scan().count() == 0
    assert (texts(lake, first), texts(lake)) == (set(EDITIONS[0]), set(EDITIONS[2]))

    _, states = run_dag("hold_documents", name="case-7", lift=True)
    assert states == {"success": {"hold_documents"}}
    assert held(lake) == {}

    _, states = run_dag("forget_documents", **ASKED)
    assert states.keys() == {"success"}
    assert texts(lake) == {EDITIONS[2][1]}
    assert hits(trino_stack.home, [contract for contract, _ in EDITIONS]) == []
    assert lake.table(ERASURES).scan().to_arrow()["state"].to_pylist() == ["finished"]
