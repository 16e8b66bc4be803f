"""Two batches at once, and others who write to the same tables: nobody's rows are lost, and no version goes back in time."""

from pathlib import Path

import pyarrow as pa
import pytest

from dev.stack import Stack
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import MAIN, scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded
from embedding_lakehouse.clients.staged_batches import staged_files
from embedding_lakehouse.core.batches import PRICED, branch_name
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, EMBEDDING_BATCHES, Table
from embedding_lakehouse.errors import AuditFailed, ConflictError
from embedding_lakehouse.steps.embed_documents import embedding, planning, publishing
from tests.batches import BatchRun, current_chunks, put_documents, run_batch, state_of
from tests.interruptions import interrupted_at_commit, interrupted_at_statement
from tests.lake_fixtures import StagedBatch

pytestmark = pytest.mark.usefixtures("profiles")
TABLES = pytest.mark.parametrize("table", [DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS], ids=lambda table: table.name)


def append(lake: Lake, declared: Table, rows: list[dict]) -> None:
    """What somebody else adds to main."""
    table = lake.table(declared)
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))


def test_two_profiles_embed_the_same_documents_side_by_side(staged_batch: StagedBatch) -> None:
    first = staged_batch.after("commit")
    second = BatchRun(first.lake, "other").until("commit")
    second.publish()
    first.publish()
    documents = {doc_id for doc_id, _, _ in current_chunks(first.lake, "small").values()}
    assert {doc_id for doc_id, _, _ in current_chunks(first.lake, "other").values()} == documents
    assert [row["state"] for row in batches.journal(first.lake).rows()] == ["published"] * 3


def test_a_batch_that_others_overtook_is_audited_again_where_it_stands_now(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("audit")
    audited = {row["embeddings_snapshot"] for row in run.lake.table(QUALITY_RESULTS).scan().to_arrow().to_pylist()}
    append(run.lake, DOCUMENT_EMBEDDINGS, [{"chunk_id": "theirs", "batch_id": "theirs"}])
    run.publish()
    again = run.lake.table(QUALITY_RESULTS).scan().to_arrow().to_pylist()
    assert len({row["embeddings_snapshot"] for row in again} - audited) == 1
    assert {row["verdict"] for row in again} == {"passed"}


@TABLES
def test_rows_that_others_add_in_the_moment_of_publishing_stay(staged_batch: StagedBatch, trino_stack: Stack, table: Table) -> None:
    run = staged_batch.after("audit")
    theirs = {"doc_id": "theirs", "batch_id": "theirs", "profile": "theirs", "model_version": "theirs"}
    late = interrupted_at_commit(run.lake, trino_stack, table.name, lambda: append(run.lake, table, [theirs]))
    publishing.publish_batch(run.batch_id, late)
    assert scan(run.lake.table(table), batch_id="theirs").count() == 1
    assert scan(run.lake.table(table), batch_id=run.batch_id).count() > 0


def test_a_chunk_that_others_added_meanwhile_blocks_the_batch(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("audit")
    branch = branch_name(run.batch_id)
    mine = scan(run.lake.table(DOCUMENT_EMBEDDINGS), batch_id=run.batch_id).use_ref(branch).to_arrow().to_pylist()[0]
    append(run.lake, DOCUMENT_EMBEDDINGS, [mine | {"batch_id": "theirs"}])
    with pytest.raises(AuditFailed, match=f"no_chunk_is_committed_twice: 1 rows, such as .*{mine['chunk_id']}"):
        run.publish()
    assert run.row["state"] == "blocked"
    assert scan(run.lake.table(DOCUMENT_EMBEDDINGS), batch_id=run.batch_id).use_ref(MAIN).count() == 0


def test_the_slower_of_two_plans_gives_way(lake: Lake) -> None:
    put_documents(lake, {"a": "Text."})
    first, second = BatchRun(lake, run_id="first").until("detect"), BatchRun(lake, run_id="second").until("detect")
    first.lake = interrupted_at_statement(lake, "plans/count_planned_documents", second.plan)
    with pytest.raises(ConflictError, match=r"the run second began batch .* of profile 'small' in between"):
        first.plan()
    run_batch(lake)
    assert [(row["state"], row["documents_new"]) for row in batches.journal(lake).rows()] == [("published", 1)]


def test_two_runs_that_work_on_the_same_batch_end_as_one(staged_batch: StagedBatch) -> None:
    first = staged_batch.after("plan")
    second = BatchRun(first.lake, run_id="second")
    others = second.steps()
    for step in ("chunk", "price", "embed", "commit", "publish"):
        for done in others:
            if done in ("plan", step):
                break
        first.result[step] = getattr(first, step)()
    assert state_of(first.lake) == staged_batch.published


def test_a_plan_that_a_published_batch_overtook_counts_the_changes_again(lake: Lake) -> None:
    put_documents(lake, {"a": "The old text."})
    slow = BatchRun(lake).until("detect")
    put_documents(lake, {"a": "The new text."})
    run_batch(lake)
    assert slow.plan() == []
    assert [text for _, text, _ in current_chunks(lake).values()] == ["The new text."]


def test_what_still_waits_after_a_plan_was_overtaken_is_embedded(lake: Lake) -> None:
    put_documents(lake, {"a": "The old text."})
    slow = BatchRun(lake).until("detect")
    run_batch(lake)
    put_documents(lake, {"a": "The new text."})
    for step in ("plan", "chunk", "price", "embed", "commit", "publish"):
        slow.result[step] = getattr(slow, step)()
    assert slow.row["documents_changed"] == 1
    assert [text for _, text, _ in current_chunks(lake).values()] == ["The new text."]


def test_a_batch_that_was_given_up_meanwhile_is_not_published(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("audit")
    planning.discard_batch(run.lake, run.row, "given up")
    with pytest.raises(ConflictError, match=f"batch {run.batch_id} is discarded, only a committed batch can be published"):
        run.publish()


def branches(run: BatchRun) -> set[str]:
    """The branches beside main that are left of either table."""
    return {name for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS) for name in run.lake.table(table).refs()} - {MAIN}


def test_a_batch_that_was_given_up_meanwhile_is_not_committed_and_keeps_no_branch(staged_batch: StagedBatch, trino_stack: Stack) -> None:
    run = staged_batch.after("embed")
    before = run.lake.table(DOCUMENT_EMBEDDINGS).current_snapshot()
    late = interrupted_at_commit(
        run.lake, trino_stack, DOCUMENT_EMBEDDINGS.name, lambda: planning.discard_batch(run.lake, run.row, "given up")
    )
    with pytest.raises(ConflictError, match=f"batch {run.batch_id} is discarded: it cannot become committed"):
        publishing.commit_embeddings(run.batch_id, late)
    assert run.lake.table(DOCUMENT_EMBEDDINGS).current_snapshot() == before
    assert branches(run) == set()


def test_a_batch_that_was_given_up_while_it_was_priced_keeps_no_branch(staged_batch: StagedBatch, trino_stack: Stack) -> None:
    run = staged_batch.after("chunk")
    late = interrupted_at_commit(
        run.lake, trino_stack, DOCUMENT_VERSIONS.name, lambda: planning.discard_batch(run.lake, run.row, "given up")
    )
    with pytest.raises(ConflictError, match=f"batch {run.batch_id} is discarded: it cannot become priced"):
        planning.price_batch(run.result["chunk"], allow_deletes=True, lake=late)
    assert branches(run) == set()


def test_a_batch_that_is_committed_while_it_is_given_up_keeps_no_branch(staged_batch: StagedBatch, trino_stack: Stack) -> None:
    run = staged_batch.after("embed")
    late = interrupted_at_commit(run.lake, trino_stack, EMBEDDING_BATCHES.name, run.commit)
    planning.discard_batch(late, run.row, "given up")
    assert (run.row["state"], run.row["message"]) == ("discarded", "given up")
    assert branches(run) == set()


def test_a_task_that_still_embeds_stages_nothing_of_a_batch_that_was_given_up(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("price")
    row, answer = run.row, run.model.embed

    def given_up_meanwhile(texts: list[str]) -> Embedded:
        if batches.batch(run.lake, run.batch_id)["state"] == PRICED:
            planning.discard_batch(run.lake, row, "given up")
        return answer(texts)

    run.model.embed = given_up_meanwhile
    shard = run.result["price"][0]
    counts = embedding.embed_chunks(**shard, lake=run.lake, model=run.model)
    assert run.model.texts and counts["texts_embedded"] == 0
    assert staged_files(run.lake, run.batch_id) == []


def test_what_was_given_up_is_found_again(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("embed")
    again = BatchRun(run.lake, discard_open=True).until("publish")
    assert again.batch_id != run.batch_id
    assert state_of(run.lake) == staged_batch.published
    states = {row["batch_id"]: (row["state"], row["message"]) for row in batches.journal(run.lake).rows()}
    assert states[run.batch_id] == ("discarded", "discarded by run a run")


def test_a_profile_of_its_own_declares_its_own_chunks(staged_batch: StagedBatch, profiles: Path) -> None:
    run = staged_batch.after("publish")
    other = run_batch(run.lake, "other")
    assert other.row["chunks_copied"] == other.row["chunks_kept"] == 0
