"""Syncs at work while documents are forgotten: each is recorded, or made good for by the next; no release loses its state.

An erasure is interrupted before each of its commits to ledger and embeddings; with `EVERY_MOMENT=1` in the environment after each, too.
"""

import os
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.iceberg import head_snapshot, scan, tag_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, INDEX_RELEASES, INDEX_SYNCS
from embedding_lakehouse.errors import ConflictError
from embedding_lakehouse.steps.sync_index.closing import record_sync, verify_records
from embedding_lakehouse.steps.sync_index.writing import delete_records
from tests.forgetting_fixtures import Forgetting, Killed
from tests.index_fixtures import difference
from tests.interruptions import Moments, interrupted_at_commit, watched_catalog
from tests.lake_builder import LakeBuilder
from tests.release_fixtures import Rebuilding

EVERY = int(os.environ.get("EVERY_MOMENT", "2"))
RECORD = (DOCUMENT_VERSIONS.name, DOCUMENT_EMBEDDINGS.name)
STANDS_AT = ("versions_snapshot", "embeddings_snapshot", "record_count", "id_checksum")


@dataclass
class AtWork:
    """A sync that has written and removed everything, and is not recorded; the document that is new by it is forgotten."""

    builder: LakeBuilder
    index: Rebuilding
    doc_id: str
    shards: list[dict[str, Any]] = field(default_factory=list)
    done: tuple[list[dict[str, Any]], list[dict[str, Any]]] = field(default_factory=lambda: ([], []))
    outcome: str = ""

    def begin(self) -> "AtWork":
        """Publish the document beside an edit, and let the sync come to its last step."""
        texts = {"kept": [f"Edition {self.builder.batch_number} of it.", "It stays."], self.doc_id: [f"A text of {self.doc_id}."]}
        self.builder.publish(texts)
        self.shards = self.index.plan()
        upserted = [self.index.upsert(shard) for shard in self.shards]
        verify_records(self.shards, upserted, self.index.lake, self.index.service)
        self.done = upserted, [delete_records(shard, self.index.lake, self.index.service) for shard in self.shards]
        return self

    def record(self, lake: Lake | None = None) -> str:
        return record_sync(self.shards, *self.done, lake or self.index.lake)

    def try_to_record(self) -> None:
        """The same; `outcome` says what came of it."""
        try:
            self.record()
            self.outcome = "recorded"
        except ConflictError:
            self.outcome = "made good for"

    def die_before_tags(self, stack: Stack) -> None:
        """Be killed once the release's watermark has moved, before its tags."""

        def watch(moment: str, name: str) -> None:
            if (moment, name) == ("after", INDEX_RELEASES.name):
                raise Killed

        with pytest.raises(Killed):
            self.record(Lake(watched_catalog(stack, watch), self.index.lake.sql))

    @property
    def wanted(self) -> dict[str, list[str]]:
        """What an erasure of the document is asked for."""
        return {"doc_ids": [self.doc_id]}

    @property
    def is_written(self) -> bool:
        return scan(self.index.lake.table(INDEX_SYNCS), sync_id=self.shards[0]["sync"]["sync_id"]).count() > 0


@pytest.fixture
def at_work(builder: LakeBuilder, rebuilding: Rebuilding) -> AtWork:
    builder.publish({"kept": ["What was kept first.", "It stays."]})
    rebuilding.sync()
    return AtWork(builder, rebuilding, f"private {uuid4().hex[:10]}").begin()


def assert_followed(at_work: AtWork) -> None:
    """The next sync leaves the index equal to the lake without the document, and the release as it says."""
    at_work.builder.versions.pop(at_work.doc_id)
    at_work.index.sync()
    records, live = at_work.index.records(), at_work.index.live
    assert difference(at_work.builder, records) == {}
    assert (live["record_count"], live["id_checksum"], live["open_syncs"]) == (len(records), checksum(records), [])
    for table, column in ((DOCUMENT_VERSIONS, "versions_snapshot"), (DOCUMENT_EMBEDDINGS, "embeddings_snapshot")):
        assert at_work.index.lake.table(table).refs()[f"release-{live['release_id']}"].snapshot_id == live[column]


def standing(live: ReleaseRow) -> list[Any]:
    return [live[name] for name in STANDS_AT]


def test_a_sync_to_a_state_that_an_erasure_let_expire_is_not_recorded(at_work: AtWork, forgetting: Forgetting) -> None:
    before = standing(at_work.index.live)
    forgetting.forget(**at_work.wanted)
    with pytest.raises(ConflictError, match=r"the state to which it leads expired.*run sync_index again"):
        at_work.record()
    assert standing(at_work.index.live) == before
    assert not at_work.is_written
    assert_followed(at_work)


def test_a_sync_whose_state_expires_while_it_is_recorded_is_taken_back(at_work: AtWork, forgetting: Forgetting, trino_stack: Stack) -> None:
    before = standing(at_work.index.live)
    late = interrupted_at_commit(at_work.index.lake, trino_stack, INDEX_RELEASES.name, lambda: forgetting.forget(**at_work.wanted))
    with pytest.raises(ConflictError, match=r"the state to which it leads expired.*run sync_index again"):
        at_work.record(late)
    assert standing(at_work.index.live) == before
    assert not at_work.is_written
    assert_followed(at_work)


@pytest.mark.parametrize("is_in_the_midst", [False, True], ids=["before the erasure", "in its midst"])
def test_a_sync_that_was_killed_before_its_tags_is_led_on(
    at_work: AtWork, forgetting: Forgetting, trino_stack: Stack, is_in_the_midst: bool
) -> None:
    lake = at_work.index.lake
    if is_in_the_midst:
        # The release's tags were looked at, and it has not followed them yet.
        lake = interrupted_at_commit(lake, trino_stack, DOCUMENT_VERSIONS.name, lambda: at_work.die_before_tags(trino_stack))
    else:
        at_work.die_before_tags(trino_stack)
    forgetting.erase(forgetting.begin(forgetting.plan(**at_work.wanted), **at_work.wanted), lake)
    assert_followed(at_work)


def test_a_sync_that_was_killed_right_before_its_state_was_to_expire_is_led_on(
    at_work: AtWork, forgetting: Forgetting, trino_stack: Stack
) -> None:
    versions = at_work.index.lake.table(DOCUMENT_VERSIONS)
    tag_snapshot(versions, "mine", head_snapshot(versions).snapshot_id)
    at_work.builder.publish({"kept": ["The last edition of it."]})
    seen = list[str]()

    def watch(moment: str, name: str) -> None:
        versions.refresh()
        # For a tag whose snapshot no branch leads to the erasure has a branch of its own, dropped once releases have followed.
        is_rewritten = not seen and versions.snapshot_by_name("mine").snapshot_id in {
            ref.snapshot_id for branch, ref in versions.refs().items() if branch.startswith("erasing-")
        }
        if (moment, name) == ("before", DOCUMENT_VERSIONS.name) and is_rewritten:
            seen.append(name)
            at_work.die_before_tags(trino_stack)

    lake = Lake(watched_catalog(trino_stack, watch), at_work.index.lake.sql)
    forgetting.erase(forgetting.begin(forgetting.plan(**at_work.wanted), **at_work.wanted), lake)
    assert seen
    assert_followed(at_work)


def test_a_sync_that_is_recorded_at_any_moment_of_an_erasure_leaves_a_release_that_can_be_followed(
    at_work: AtWork, forgetting: Forgetting, trino_stack: Stack
) -> None:
    outcomes, number = set[str](), 1
    while True:
        moments = Moments(number, at_work.try_to_record)
        watched = watched_catalog(trino_stack, lambda moment, name, moments=moments: moments(moment, name) if name in RECORD else None)
        erasure_id = forgetting.begin(forgetting.plan(**at_work.wanted), **at_work.wanted)
        forgetting.erase(erasure_id, Lake(watched, at_work.index.lake.sql))
        if not moments.is_reached:
            break
        outcomes.add(at_work.outcome)
        assert_followed(at_work)
        number += EVERY
        at_work = AtWork(at_work.builder, at_work.index, f"private {uuid4().hex[:10]}").begin()
    assert number > 6
    assert outcomes == {"recorded", "made good for"}


def test_a_fill_from_a_state_that_an_erasure_let_expire_is_not_recorded(
    builder: LakeBuilder, rebuilding: Rebuilding, forgetting: Forgetting
) -> None:
    doc_id = f"private {uuid4().hex[:10]}"
    builder.publish({"kept": ["What is kept.", "It stays."], doc_id: [f"A text of {doc_id}."]})
    # The ledger remembers the document, whose records nobody writes any more.
    builder.publish({}, deleted=(doc_id,))
    erasure_id = forgetting.begin(forgetting.plan(doc_ids=[doc_id]), doc_ids=[doc_id])
    run = rebuilding.rebuilding()
    while next(run) != "fill_shard":
        continue
    forgetting.erase(erasure_id)
    with pytest.raises(ConflictError, match=r"the state to which it leads expired.*run rebuild_index with discard_building"):
        next(run)
    builder.versions.pop(doc_id)
    rebuilding.rebuild(run_id="another run", discard_building=True)
    assert rebuilding.states() == {"r1": "retired", "r2": "dropped", "r3": "live"}
    assert difference(builder, rebuilding.records()) == {}
