"""What maintenance takes away, and what it leaves for receipts, releases, holds and batches that are under way."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.moments import find_moment
from embedding_lakehouse.clients.parts import parts_folder
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.core.batches import PUBLISHED
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.receipts import Receipt
from embedding_lakehouse.core.tables import (
    BATCH_CHUNKS,
    BATCH_DOCUMENTS,
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    INDEX_RELEASES,
    SOURCE_DOCUMENTS,
    SYNC_CHANGES,
)
from embedding_lakehouse.receipts import explain
from embedding_lakehouse.steps.hold_documents import hold_documents
from embedding_lakehouse.steps.set_up_index import create_index
from tests.batches import BatchRun, CountingModel, current_chunks, put_documents, run_batch
from tests.index_fixtures import API_KEY, Following, declaration
from tests.lake_fixtures import PROFILES, declare
from tests.maintenance_fixtures import AT_ONCE, Maintaining, files_of

YEAR = timedelta(days=365)
TABLES = (SOURCE_DOCUMENTS, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, INDEX_RELEASES, BATCH_DOCUMENTS, BATCH_CHUNKS, SYNC_CHANGES)
ANSWER = chunk_id("a", "Alpha.")
FIRST = {"a": "Alpha.", "b": "Beta.", "c": "Gamma.", "d": "Delta."}


@dataclass
class Story:
    """Two profiles: `small` with published batches whose index follows, and one committed to its branch; `other` with one half embedded."""

    index: Following
    maintaining: Maintaining
    first: BatchRun
    answered_at: datetime
    committed: BatchRun
    half_embedded: BatchRun
    half_written: Path
    dead: tuple[Path, Path]
    held: int

    @property
    def lake(self) -> Lake:
        return self.maintaining.lake

    def receipt(self, record_id: str, at: datetime | None = None) -> Receipt:
        (receipt,) = explain([record_id], self.index.profile.name, at, self.lake).receipts
        return receipt


@pytest.fixture(scope="module")
def story(own_module_lake: Lake, module_profiles: Path, faulty_server: str) -> Story:
    """The lake before it is maintained."""
    lake, name = own_module_lake, f"test-{uuid4().hex[:12]}"
    declare(module_profiles, declaration(name) + PROFILES)
    service = IndexService(API_KEY, faulty_server, patience=20)
    create_index(name, lake=lake, service=service)
    index = Following(lake, settings.profile(name), service)
    put_documents(lake, FIRST)
    held = head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id
    first = run_batch(lake, name)
    index.sync()
    answered_at = datetime.now(UTC)
    for edition in range(3):
        put_documents(lake, FIRST | {"a": f"Alpha {edition}."})
        run_batch(lake, name)
        index.sync()
    half = BatchRun(lake, "other").until("price")
    put_documents(lake, FIRST | {"a": "Alpha 2.", "b": "Beta anew."})
    committed = BatchRun(lake, name).until("commit")
    # Two of the four chunks are paid for.
    half.result["price"][:] = half.result["price"][:1]
    half.embed()
    folder = Path(parts_folder(lake.table(DOCUMENT_EMBEDDINGS), f"batch_id={half.batch_id}").removeprefix("file://"))
    half_written = folder / "killed.parquet.writing"
    dead = (folder.with_name(f"batch_id={first.batch_id}") / "late.parquet", folder.parents[1] / "index_imports" / "r0-s0" / "0.parquet")
    for file in (half_written, *dead):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"of a try that was killed, or came too late")
    hold_documents("case-1", name, lake=lake, as_of=str(first.row["versions_snapshot"]))
    rules = AT_ONCE.of_keys(AT_ONCE.as_keys() | {"receipt_age": YEAR.total_seconds()})
    return Story(index, Maintaining(lake, rules), first, answered_at, committed, half, half_written, dead, held)


def state(story: Story) -> dict[str, tuple[int | None, int, set[Path]]]:
    """What a run could change of each table."""
    loaded = {table.name: (table, story.lake.table(table)) for table in TABLES}
    return {
        name: (table.metadata.current_snapshot_id, len(table.snapshots()), files_of(story.lake, declared))
        for name, (declared, table) in loaded.items()
    }


def test_a_dry_run_says_what_the_run_then_does_and_changes_nothing(story: Story) -> None:
    before = state(story)
    dry = story.maintaining.run(*TABLES, is_dry_run=True)
    assert state(story) == before
    done = story.maintaining.run(*TABLES)
    for name in ("snapshots_expired", "tags_made", "tags_dropped", "finished_keys", "is_compacted"):
        assert {table: row[name] for table, row in dry.items()} == {table: row[name] for table, row in done.items()}, name
    assert all(row["is_dry_run"] for row in dry.values()) and not any(row["is_dry_run"] for row in done.values())
    assert sum(row["snapshots_expired"] for row in done.values()) > 0
    assert done[SYNC_CHANGES.name]["finished_keys"] > 0


def test_leftovers_go_and_what_an_open_batch_staged_stays(story: Story) -> None:
    assert not [file for file in (story.half_written, *story.dead) if file.exists()]
    assert any(file.suffix == ".parquet" for file in story.half_written.parent.rglob("*"))


def test_a_receipt_within_its_retention_has_the_whole_text_and_the_release_of_then(story: Story) -> None:
    receipt = story.receipt(ANSWER, story.answered_at)
    assert (receipt.version.document_text, receipt.version.is_text_verified) == ("Alpha.", True)
    (release,) = receipt.releases
    assert (release.state, release.is_exact, release.content_hash) == ("live", True, receipt.version.content_hash)


def test_a_snapshot_of_a_hold_stays(story: Story) -> None:
    table = story.lake.table(SOURCE_DOCUMENTS)
    assert table.refs()["hold-case-1"].snapshot_id == story.held
    assert {row["doc_id"] for row in table.scan(snapshot_id=story.held).to_arrow().to_pylist()} == FIRST.keys()


def test_a_recent_moment_can_still_be_gone_back_to(story: Story) -> None:
    batch = story.committed.row["planned_at"]
    assert find_moment(story.lake, story.index.profile.name, batch.isoformat()).versions_snapshot


def test_a_half_embedded_batch_goes_on_and_pays_for_no_text_twice(story: Story) -> None:
    model = CountingModel()
    resumed = BatchRun(story.lake, "other", model).until("publish")
    assert resumed.batch_id == story.half_embedded.batch_id
    assert not set(model.texts) & set(story.half_embedded.model.texts)
    assert len(current_chunks(story.lake, "other")) == 4


def test_a_committed_batch_is_rebased_onto_what_was_compacted(story: Story) -> None:
    assert story.committed.publish()["batch_id"] == story.committed.batch_id
    assert story.committed.row["state"] == PUBLISHED
    assert chunk_id("b", "Beta anew.") in current_chunks(story.lake, story.index.profile.name)


def test_the_index_follows_across_it(story: Story) -> None:
    story.index.sync()
    current = current_chunks(story.lake, story.index.profile.name)
    assert story.index.records().keys() == current.keys()
    assert story.index.sync() == (0, 0)


def test_past_the_retention_of_receipts_current_texts_are_still_whole(story: Story) -> None:
    run = story.maintaining.run(*TABLES, receipt_age=timedelta(0))
    assert run[SOURCE_DOCUMENTS.name]["tags_dropped"] > 0
    unchanged = story.receipt(chunk_id("c", "Gamma."))
    assert (unchanged.version.document_text, unchanged.version.is_text_verified) == ("Gamma.", True)


def test_a_lifted_hold_lets_its_snapshots_go(story: Story) -> None:
    assert hold_documents("case-1", story.index.profile.name, lift=True, lake=story.lake) == []
    story.maintaining.run(SOURCE_DOCUMENTS, DOCUMENT_VERSIONS, receipt_age=timedelta(0))
    assert story.lake.table(SOURCE_DOCUMENTS).snapshot_by_id(story.held) is None
    assert story.receipt(chunk_id("c", "Gamma.")).version.is_text_verified
    assert story.receipt(ANSWER).version.document_text is None
