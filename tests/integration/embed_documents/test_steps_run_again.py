"""Every step can be run again, by a later run or by a second try at the same time, and ends in the same state."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import connect
from embedding_lakehouse.clients.models import Embedded
from embedding_lakehouse.core.tables import (
    BATCH_CHUNKS,
    BATCH_DOCUMENTS,
    BATCH_REUSE,
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    EMBEDDING_BATCHES,
    Table,
)
from embedding_lakehouse.errors import ConflictError, LakehouseError
from embedding_lakehouse.steps.embed_documents import planning, publishing
from tests.batches import BatchRun, CountingModel, state_of
from tests.interruptions import Killed, interrupted_at_commit, interrupted_at_statement, killed_at_commit
from tests.lake_fixtures import StagedBatch

pytestmark = pytest.mark.usefixtures("profiles")


def finish(run: BatchRun, *steps: str) -> None:
    """Run the remaining steps of a run."""
    for step in steps:
        run.result[step] = getattr(run, step)()


@pytest.mark.parametrize("killed_after", ["plan", "chunk", "price", "embed", "commit", "audit"])
def test_a_later_run_takes_up_what_a_killed_one_left(staged_batch: StagedBatch, killed_after: str) -> None:
    killed = staged_batch.after(killed_after)
    later = BatchRun(killed.lake, run_id="a later run").until("publish")
    assert state_of(killed.lake) == staged_batch.published
    assert (later.batch_id, later.row["run_id"]) == (killed.batch_id, "a later run")
    assert [row["state"] for row in batches.journal(killed.lake).rows()] == ["published", "published"]


def test_what_was_embedded_before_the_kill_is_not_bought_again(staged_batch: StagedBatch) -> None:
    later = BatchRun(staged_batch.after("embed").lake).until("publish")
    assert later.model.texts == []


def test_chunking_twice_changes_nothing(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("chunk")
    finish(run, "chunk", "price", "chunk", "embed", "commit", "publish")
    assert state_of(run.lake) == staged_batch.published


def test_pricing_twice_plans_the_same_shards(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("price")
    assert run.price() == run.result["price"]


def test_two_tries_of_pricing_side_by_side_count_once(staged_batch: StagedBatch) -> None:
    planned = staged_batch.after("price").row
    run = staged_batch.after("chunk")
    late = interrupted_at_statement(run.lake, "plans/plan_reuse", run.price)
    planning.price_batch(run.result["chunk"], lake=late)
    counts = [key for key in planned if key.startswith(("chunks", "texts", "tokens", "embedding_shards"))]
    assert [run.row[key] for key in counts] == [planned[key] for key in counts]
    finish(run, "price", "embed", "commit", "publish")
    assert state_of(run.lake) == staged_batch.published


class InterruptedModel(CountingModel):
    """A model during whose first answer something else happens."""

    action: Callable[[], object] | None = None

    def embed(self, texts: list[str]) -> Embedded:
        action, self.action = self.action, None
        if action:
            action()
        return super().embed(texts)


def test_two_tries_of_embedding_side_by_side_commit_each_chunk_once(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("price")
    run.model = InterruptedModel()
    run.model.action = BatchRun(run.lake, result=dict(run.result)).embed
    finish(run, "embed", "commit", "publish")
    assert state_of(run.lake) == staged_batch.published


def test_embedding_again_asks_the_model_for_nothing(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("embed")
    assert [shard["chunks"] for shard in run.embed()] == [0] * len(run.result["price"])
    assert run.model.texts == []


def test_embedding_after_the_commit_does_nothing(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("commit")
    run.embed()
    assert run.model.texts == []


def test_committing_twice_commits_once(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("embed")
    finish(run, "commit", "commit", "publish")
    assert state_of(run.lake) == staged_batch.published


def test_two_tries_of_committing_side_by_side_commit_once(staged_batch: StagedBatch, trino_stack: Stack) -> None:
    run = staged_batch.after("embed")
    late = interrupted_at_commit(run.lake, trino_stack, DOCUMENT_EMBEDDINGS.name, run.commit)
    publishing.commit_embeddings(run.batch_id, late)
    finish(run, "publish")
    assert state_of(run.lake) == staged_batch.published


@pytest.mark.parametrize("table", [DOCUMENT_EMBEDDINGS, EMBEDDING_BATCHES], ids=lambda table: table.name)
def test_a_late_try_of_committing_adds_nothing_to_what_is_published(staged_batch: StagedBatch, trino_stack: Stack, table: Table) -> None:
    run = staged_batch.after("embed")
    late = interrupted_at_commit(run.lake, trino_stack, table.name, lambda: finish(run, "commit", "publish"))
    publishing.commit_embeddings(run.batch_id, late)
    assert state_of(run.lake) == staged_batch.published
    assert [list(run.lake.table(branched).refs()) for branched in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)] == [["main"], ["main"]]


def test_a_late_try_of_pricing_adds_nothing_to_what_is_published(staged_batch: StagedBatch, trino_stack: Stack) -> None:
    run = staged_batch.after("chunk")
    late = interrupted_at_commit(run.lake, trino_stack, DOCUMENT_VERSIONS.name, lambda: finish(run, "price", "embed", "commit", "publish"))
    planning.price_batch(run.result["chunk"], lake=late)
    assert state_of(run.lake) == staged_batch.published
    assert list(run.lake.table(DOCUMENT_VERSIONS).refs()) == ["main"]


def test_publishing_twice_publishes_once(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("audit")
    finish(run, "publish", "publish")
    assert state_of(run.lake) == staged_batch.published


@pytest.mark.parametrize("table", [DOCUMENT_EMBEDDINGS.name, DOCUMENT_VERSIONS.name])
def test_two_tries_of_publishing_side_by_side_publish_once(staged_batch: StagedBatch, trino_stack: Stack, table: str) -> None:
    run = staged_batch.after("audit")
    publishing.publish_batch(run.batch_id, interrupted_at_commit(run.lake, trino_stack, table, run.publish))
    assert state_of(run.lake) == staged_batch.published


def test_a_batch_whose_publisher_was_killed_counts_from_when_its_ledger_was_current(staged_batch: StagedBatch, trino_stack: Stack) -> None:
    run = staged_batch.after("audit")
    with pytest.raises(Killed):
        publishing.publish_batch(run.batch_id, killed_at_commit(run.lake, trino_stack, EMBEDDING_BATCHES.name))
    assert (run.row["state"], state_of(run.lake)) == ("committed", staged_batch.published)
    answered_at = datetime.now(UTC)
    run.publish()
    assert run.row["committed_at"] < run.row["published_at"] <= answered_at


def test_a_published_batch_leaves_no_staged_rows(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("publish")
    assert [run.lake.table(table).scan().count() for table in (BATCH_DOCUMENTS, BATCH_CHUNKS, BATCH_REUSE)] == [0, 0, 0]


def test_publishing_before_the_commit_is_refused(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("embed")
    with pytest.raises(ConflictError, match=f"batch {run.batch_id} is priced, only a committed batch can be published"):
        run.publish()


@pytest.mark.parametrize("table", [DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS], ids=lambda table: table.name)
def test_a_batch_whose_branch_is_gone_is_not_called_published(staged_batch: StagedBatch, table: Table) -> None:
    run = staged_batch.after("audit")
    run.lake.table(table).manage_snapshots().remove_branch(f"batch-{run.batch_id}").commit()
    with pytest.raises(ConflictError, match=f"the branch of batch {run.batch_id} is gone from {table.name}: discard the batch"):
        run.publish()
    assert run.row["state"] == "committed"


def test_a_lost_part_stops_the_commit_and_is_staged_anew(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("embed")
    table = run.lake.table(DOCUMENT_EMBEDDINGS)
    lost = next(Path(table.location().removeprefix("file://")).glob(f"data/batch_id={run.batch_id}/**/*.parquet"))
    lost.unlink()
    with pytest.raises(LakehouseError, match=r"planned \d+ rows, \d+ are staged, 0 rejected: clear its tasks embed_chunks"):
        run.commit()
    finish(run, "embed", "commit", "publish")
    assert state_of(run.lake) == staged_batch.published


def test_many_writers_embed_the_shards_at_once(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("price")
    tries = [BatchRun(connect(), result=dict(run.result)) for _ in range(3)]
    threads = [threading.Thread(target=one.embed) for one in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finish(run, "commit", "publish")
    assert state_of(run.lake) == staged_batch.published
