"""A release that is behind by batches alone is led on at their cost; where more may differ, whole states are compared. Either way the index
equals the lake."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pytest
from pyiceberg.table.snapshots import Operation

from embedding_lakehouse.clients import sync_plans
from embedding_lakehouse.clients.iceberg import head_snapshot, scan
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, SYNC_CHANGES
from tests.batches import run_batch
from tests.index_fixtures import Following, difference
from tests.lake_builder import LakeBuilder
from tests.maintenance_fixtures import compact
from tests.roll_back_fixtures import RollingBack

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"], "c.md": ["c one"]}


@dataclass
class Told:
    """What the plans of syncs say of how they were made."""

    caplog: pytest.LogCaptureFixture

    @property
    def whole(self) -> int:
        """How many compared whole states."""
        return sum("as a whole" in record.getMessage() for record in self.caplog.records)

    @property
    def batches(self) -> list[int]:
        """By how many batches the others went."""
        messages = [record.getMessage().split() for record in self.caplog.records if " follows " in record.getMessage()]
        return [int(words[-2]) for words in messages]

    def forget(self) -> None:
        """Begin anew."""
        self.caplog.clear()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    caplog.set_level(logging.INFO, sync_plans.__name__)
    return Told(caplog)


@pytest.fixture
def followed(builder: LakeBuilder, following: Following, told: Told) -> LakeBuilder:
    """A corpus that the index holds already."""
    builder.publish(CORPUS)
    following.sync()
    told.forget()
    return builder


def is_as_said(builder: LakeBuilder, following: Following) -> bool:
    """Whether the index is as the lake, and the release says what it holds."""
    records, release = following.records(), Releases(following.lake).live(following.profile.name)
    assert difference(builder, records) == {}
    return (release["record_count"], release["id_checksum"]) == (len(records), checksum(records))


def test_batches_are_followed_at_their_own_cost(followed: LakeBuilder, following: Following, told: Told) -> None:
    followed.publish({"a.md": ["a one", "a two, edited", "a three"], "d.md": ["d one"]}, deleted=("b.md",))
    followed.publish({"d.md": ["d one", "d two"], "e.md": []})
    assert following.sync() == (3, 3)
    assert is_as_said(followed, following)
    followed.publish({}, deleted=("c.md", "d.md"))
    assert following.sync() == (0, 3)
    assert is_as_said(followed, following)
    assert (told.whole, told.batches) == (0, [2, 1])


def test_compacted_tables_are_followed_all_the_same(followed: LakeBuilder, following: Following, told: Told) -> None:
    followed.publish({"a.md": ["a one", "a four"]})
    compact(following.lake)
    followed.publish({"b.md": ["b one", "b three"]})
    compact(following.lake)
    assert head_snapshot(following.lake.table(DOCUMENT_VERSIONS)).summary.operation == Operation.REPLACE
    assert following.sync() == (2, 3)
    assert is_as_said(followed, following)
    assert (told.whole, told.batches) == (0, [2])


def test_batches_of_another_profile_cost_nothing(rolling: RollingBack, told: Told) -> None:
    rolling.embed({"a": "Alpha.", "b": "Beta."})
    rolling.sync()
    told.forget()
    run_batch(rolling.lake, "small")
    assert rolling.following.plan() == []
    rolling.embed({"a": "Alpha, edited.", "b": "Beta."})
    assert rolling.sync() == (1, 1)
    assert rolling.records() == rolling.expected_records()
    assert (told.whole, told.batches) == (0, [1])


def put_a_document_back(builder: LakeBuilder, following: Following) -> None:
    builder.publish({"a.md": ["a four"]})
    following.sync()
    builder.publish(CORPUS)


def reject_a_batch(builder: LakeBuilder, following: Following) -> None:
    builder.reject(builder.publish({"d.md": ["d one"]}))
    builder.publish({"d.md": ["d two"]})


def delete_a_version(builder: LakeBuilder, following: Following) -> None:
    builder.lake.table(DOCUMENT_VERSIONS).delete("doc_id = 'c.md'")
    del builder.versions["c.md"]
    builder.publish({"d.md": ["d one"]})


def add_a_version_by_hand(builder: LakeBuilder, following: Following) -> None:
    builder.publish({"d.md": ["d one"]})
    version = builder.versions["c.md"][0] | {"batch_number": builder.batch_number + 1, "chunk_ids": [], "batch_id": "by hand"}
    builder.versions["c.md"].append(version)
    table = builder.lake.table(DOCUMENT_VERSIONS)
    table.append(pa.Table.from_pylist([version], schema=table.schema().as_arrow()))


def let_a_snapshot_expire(builder: LakeBuilder, following: Following) -> None:
    builder.publish({"d.md": ["d one"]})
    between = head_snapshot(builder.lake.table(DOCUMENT_VERSIONS)).snapshot_id
    builder.publish({"e.md": ["e one"]})
    builder.lake.table(DOCUMENT_VERSIONS).maintenance.expire_snapshots().by_id(between).commit()


@pytest.mark.parametrize("change", [put_a_document_back, reject_a_batch, delete_a_version, add_a_version_by_hand, let_a_snapshot_expire])
def test_where_more_than_batches_may_differ_whole_states_are_compared(
    followed: LakeBuilder, following: Following, told: Told, change: Callable[[LakeBuilder, Following], None]
) -> None:
    change(followed, following)
    assert told.whole == 0
    following.sync()
    assert is_as_said(followed, following)
    assert told.whole == 1
    syncs = set(scan(following.lake.table(SYNC_CHANGES)).to_arrow()["sync_id"].to_pylist())
    assert len(syncs) <= 3, "what the batches alone led to is left"


def test_after_a_roll_back_whole_states_are_compared_once(rolling: RollingBack, told: Told) -> None:
    rolling.embed({"a": "Alpha.", "b": "Beta."})
    rolling.sync()
    bad = rolling.embed({"a": "Alpha, edited.", "b": "Beta.", "c": "Gamma."})
    rolling.embed({"a": "Alpha, edited.", "b": "Beta, edited.", "c": "Gamma."})
    rolling.sync()
    told.forget()
    rolling.roll_back(without_batch=bad)
    rolling.sync()
    assert rolling.records() == rolling.expected_records()
    assert told.whole == 1
    rolling.embed({"a": "Alpha, edited.", "b": "Beta, edited.", "c": "Gamma."})
    rolling.sync()
    assert rolling.records() == rolling.expected_records()
    assert told.whole == 1
