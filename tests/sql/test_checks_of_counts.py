"""Counts and shares beside those of the plan, of main, of recent batches and of ingestion, at their thresholds and one beyond."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import commit_files, drop_branch, scan
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.batches import branch_name
from embedding_lakehouse.core.ingest_tables import INGEST_RUNS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS
from tests.batches import BatchRun, put_source_rows
from tests.checked_batch import Committed, document_with, only

GROWTH = "row_count_is_like_that_of_recent_batches"


@pytest.mark.parametrize(("count", "verdict"), [(1_000, "passed"), (1_001, "warned")])
def test_ten_times_the_rows_of_the_largest_recent_batch_are_no_sudden_change(committed: Committed, count: int, verdict: str) -> None:
    committed.journal(committed.first, chunks_planned=100, chunks_kept=0)
    table = committed.lake.table(DOCUMENT_EMBEDDINGS)
    row = committed.rows(DOCUMENT_EMBEDDINGS)[0]
    file = write_part(table, parts_folder(table, "grown"), pa.Table.from_pylist([row] * count, schema=table.schema().as_arrow()))
    drop_branch(table, branch_name(committed.batch_id))
    commit_files(table, branch_name(committed.batch_id), [file], {"batch_id": committed.batch_id})
    result = committed.check(GROWTH)
    assert (result["verdict"], result["value"]) == (verdict, count / 100)
    assert result["sample"] == [{"times_larger": count / 100, "row_count": count, "largest_recent_count": 100}]


def test_a_first_batch_has_no_others_to_be_compared_with(committed: Committed) -> None:
    committed.journal(committed.first, state="discarded")
    assert committed.check(GROWTH)["value"] is None


def ingest(committed: Committed, rejected: int, good: int, minutes: int = -1) -> None:
    """An ingestion that ended so many minutes after the batch was planned."""
    ended = batches.batch(committed.lake, committed.batch_id)["planned_at"] + timedelta(minutes=minutes)
    table = committed.lake.table(INGEST_RUNS)
    row = {"ingest_id": "one", "rejected_documents": rejected, "new_documents": good, "changed_documents": 0, "finished_at": ended}
    table.overwrite(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))


@pytest.mark.parametrize(("rejected", "good", "verdict"), [(10, 90, "passed"), (11, 90, "warned")])
def test_a_tenth_of_the_documents_may_be_rejected_at_ingestion(committed: Committed, rejected: int, good: int, verdict: str) -> None:
    committed.journal(committed.first, planned_at=datetime.now(UTC) - timedelta(hours=1))
    ingest(committed, rejected, good)
    result = committed.check("few_documents_are_rejected_at_ingestion")
    assert (result["verdict"], result["value"]) == (verdict, pytest.approx(rejected / (rejected + good)))


@pytest.mark.parametrize("minutes", [-90, 1])
def test_ingestions_before_the_last_batch_and_after_the_plan_do_not_count(committed: Committed, minutes: int) -> None:
    committed.journal(committed.first, planned_at=datetime.now(UTC) - timedelta(hours=1))
    ingest(committed, 50, 50, minutes)
    assert committed.check("few_documents_are_rejected_at_ingestion")["value"] is None


def test_a_document_that_waits_past_its_freshness_target_is_seen(committed: Committed) -> None:
    now = datetime.now(UTC)
    ages = {"embedded": 48, "late": 24.1, "early": 23.9}
    rows = [{"doc_id": doc_id, "document_text": doc_id, "updated_at": now - timedelta(hours=age)} for doc_id, age in ages.items()]
    put_source_rows(committed.lake, rows)
    waiting = Committed(committed.lake, committed.first, BatchRun(committed.lake, "other").until("commit").batch_id)
    waiting.versions(only(lambda row: row["doc_id"] == "embedded")).journal(waiting.batch_id, documents_remaining=2)
    result = waiting.check("every_document_is_embedded_in_time")
    assert (result["verdict"], [row["doc_id"] for row in result["sample"]]) == ("warned", ["late"])


def test_the_ledger_counts_the_planned_documents_of_their_snapshot(committed: Committed) -> None:
    name = "every_source_snapshot_has_its_planned_documents"
    result = committed.versions(document_with("c", source_snapshot=7)).check(name)
    assert (result["verdict"], result["value"]) == ("failed", 2)
    (other,) = (row for row in result["sample"] if row["source_snapshot"] == 7)
    assert (other["planned_count"], other["recorded_count"]) == (0, 1)


def test_the_ledger_counts_as_many_deletes_as_were_planned(committed: Committed) -> None:
    committed.journal(committed.batch_id, documents_deleted=2)
    result = committed.check("every_source_snapshot_has_its_planned_documents")
    assert [(row["planned_deletes"], row["recorded_deletes"]) for row in result["sample"]] == [(2, 1)]


def test_a_branch_with_rows_of_another_batch_is_named_by_its_model_version(committed: Committed) -> None:
    result = committed.embeddings(lambda rows: [*rows, rows[0] | {"batch_id": "another"}]).check("every_model_version_has_its_rows")
    own, before = len(committed.rows(DOCUMENT_EMBEDDINGS)), scan(committed.lake.table(DOCUMENT_EMBEDDINGS)).count()
    shown = {"model_version": "small-v1", "branch_count": before + own + 1, "main_count": before, "batch_count": own}
    assert (result["verdict"], result["sample"]) == ("failed", [shown])
