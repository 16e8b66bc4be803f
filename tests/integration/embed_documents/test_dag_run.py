"""The DAG as Airflow runs it, with the bundled model: what changed is published, a quiet run ends early, a failed check blocks."""

import runpy
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, EMBEDDING_BATCHES
from embedding_lakehouse.settings import checks
from tests.batches import current_documents, put_documents
from tests.lake_fixtures import declare

DAG_FILE = Path(__file__).parents[3] / "dags" / "embed_documents.py"
PROFILE = """
[profiles.bundled]
provider = "wordllama"
model_name = "l2_supercat"
model_version = "bundled-v1"
dimensions = 256
"""
PLUGIN = Path(__file__).parents[3] / "plugins" / "embeddings_page.py"
# The mapped tasks whose progress the page shows, and how many of them a batch plans.
SHARDS = {"chunk_documents": "document_shards", "embed_chunks": "embedding_shards"}
TEXT = "The lamp turns every ten seconds."


@pytest.fixture(autouse=True)
def bundled_model(airflow_database: Path, profiles: Path) -> None:
    declare(profiles, PROFILE)


def run_dag(**params: Any) -> dict[str, set[str]]:
    """One run of the DAG: the tasks by their state."""
    from airflow.dag_processing.dagbag import DagBag

    states = defaultdict[str, set[str]](set)
    for instance in DagBag(DAG_FILE).dags["embed_documents"].test(run_conf=params).get_task_instances():
        states[str(instance.state)].add(instance.task_id)
    return dict(states)


def rows(lake: Lake, table: Any) -> list[dict[str, Any]]:
    return lake.table(table).scan().to_arrow().to_pylist()


def test_a_changed_source_is_published_and_an_unchanged_one_ends_after_the_plan(lake: Lake) -> None:
    put_documents(lake, {"a.md": TEXT, "b.md": "Nobody keeps the lighthouse."})
    first = run_dag()
    assert first["skipped"] == {"continue_backlog"}
    assert current_documents(lake, "bundled").keys() == {"a.md", "b.md"}

    (batch,) = rows(lake, EMBEDDING_BATCHES)
    done = {task: (batch[shards], batch[shards]) for task, shards in SHARDS.items()}
    assert runpy.run_path(str(PLUGIN))["task_progress"]("embed_documents", batch["run_id"]) == done

    before = {table.name: lake.table(table).metadata.current_snapshot_id for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)}
    quiet = run_dag()
    assert quiet["success"] == {"detect_changes", "plan_batch"}
    assert quiet.keys() == {"success", "skipped"}
    assert {table.name: lake.table(table).metadata.current_snapshot_id for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)} == before


def test_a_check_that_fails_is_red_and_main_stays_as_it_was_until_somebody_accepts_it(lake: Lake) -> None:
    table = lake.table(DOCUMENT_EMBEDDINGS)
    stray = {"doc_id": "a.md", "chunk_id": chunk_id("a.md", TEXT), "model_version": "bundled-v1", "batch_id": "of nobody"}
    table.append(pa.Table.from_pylist([stray], schema=table.schema().as_arrow()))
    put_documents(lake, {"a.md": TEXT})
    before = rows(lake, DOCUMENT_EMBEDDINGS)

    states = run_dag()

    assert states["failed"] == {"audit.no_chunk_is_committed_twice", "audit.conclude"}
    assert states["upstream_failed"] == {"publish_batch", "continue_backlog"}
    assert rows(lake, DOCUMENT_EMBEDDINGS) == before
    assert current_documents(lake, "bundled") == {}
    (batch,) = rows(lake, EMBEDDING_BATCHES)
    assert batch["state"] == "blocked"
    assert chunk_id("a.md", TEXT) in batch["message"]
    assert {row["check_name"]: row["verdict"] for row in rows(lake, QUALITY_RESULTS)} == {
        name: "failed" if name == "no_chunk_is_committed_twice" else "passed" for name in checks()
    }

    states = run_dag(accept_checks=["no_chunk_is_committed_twice"], accept_reason="The other row is nobody's.")

    assert states["skipped"] == {"continue_backlog"}
    assert states.keys() == {"success", "skipped"}
    assert current_documents(lake, "bundled").keys() == {"a.md"}
    accepted = [row for row in rows(lake, QUALITY_RESULTS) if row["verdict"] == "accepted"]
    assert {(row["check_name"], row["accepted_by"], row["accepted_reason"]) for row in accepted} == {
        ("no_chunk_is_committed_twice", "dag_test", "The other row is nobody's.")
    }
