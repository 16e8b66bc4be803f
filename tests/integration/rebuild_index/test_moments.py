"""Rebuilds of a past moment: what was current then, by whatever name, and a clear message where it is not to be had."""

import time
from datetime import UTC, datetime

import pytest

from embedding_lakehouse.clients.iceberg import drop_tag, head_snapshot
from embedding_lakehouse.clients.moments import find_moment
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.errors import ConflictError, InputError
from tests.index_fixtures import difference
from tests.lake_builder import LakeBuilder
from tests.release_fixtures import Rebuilding

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"]}


def heads(builder: LakeBuilder) -> tuple[int, int]:
    versions, embeddings = (head_snapshot(builder.lake.table(table)).snapshot_id for table in (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS))
    return versions, embeddings


def found(builder: LakeBuilder, as_of: str) -> tuple[int, int]:
    moment = find_moment(builder.lake, builder.profile.name, as_of)
    return moment.versions_snapshot, moment.embeddings_snapshot


def now() -> str:
    # The logs count milliseconds.
    time.sleep(0.005)
    moment = datetime.now(UTC).isoformat()
    time.sleep(0.005)
    return moment


def test_a_release_of_a_past_moment_stays_there_until_another_rebuild(builder: LakeBuilder, rebuilding: Rebuilding):
    first = builder.publish(CORPUS)
    before = builder.current()
    builder.publish({"a.md": ["a two", "a four"]}, deleted=("b.md",))
    rebuilding.sync()
    rebuilding.rebuild(as_of=first)
    assert rebuilding.live["is_pinned"]
    assert rebuilding.records().keys() == before.keys()
    builder.publish({"c.md": ["c one"]})
    assert rebuilding.plan() == []
    assert rebuilding.records().keys() == before.keys()
    rebuilding.rebuild()
    assert not rebuilding.live["is_pinned"]
    assert difference(builder, rebuilding.records()) == {}


def test_a_moment_is_found_by_either_snapshot_by_time_and_by_batch(builder: LakeBuilder):
    first = builder.publish(CORPUS)
    then, wanted = now(), heads(builder)
    builder.publish({"a.md": ["a four"]}, deleted=("b.md",))
    for as_of in (first, then, *map(str, wanted)):
        assert found(builder, as_of) == wanted
    assert found(builder, "") == heads(builder)


def test_a_batch_that_only_deletes_has_a_moment(builder: LakeBuilder):
    builder.publish(CORPUS)
    second = builder.publish({}, deleted=("b.md",))
    wanted = heads(builder)
    builder.publish({"c.md": ["c one"]})
    assert found(builder, second) == wanted


def test_after_a_roll_back_a_time_leads_to_what_was_current_then(builder: LakeBuilder):
    builder.publish(CORPUS)
    moment, first = builder.moment(), heads(builder)
    builder.publish({"a.md": ["a four"]})
    before, second = now(), heads(builder)
    builder.roll_back(moment)
    after = now()
    builder.publish({"c.md": ["c one"]})
    assert (found(builder, before), found(builder, after)) == (second, first)


@pytest.mark.parametrize(
    ("as_of", "said"),
    [
        ("4711", "no snapshot 4711 that was ever current"),
        ("last tuesday", "no snapshot id, no batch"),
        ("2026-01-31T12:00:00", "has no zone"),
        ("2001-01-31T12:00:00Z", "nothing is left"),
    ],
)
def test_a_moment_that_never_was_is_named_with_what_there_is(builder: LakeBuilder, as_of: str, said: str):
    builder.publish(CORPUS)
    with pytest.raises(InputError, match=said):
        found(builder, as_of)


def test_a_snapshot_of_an_unpublished_branch_is_no_moment(builder: LakeBuilder):
    builder.publish(CORPUS)
    table = builder.lake.table(DOCUMENT_VERSIONS)
    table.manage_snapshots().create_branch(head_snapshot(table).snapshot_id, "batch-never").commit()
    table.append(table.schema().as_arrow().empty_table(), branch="batch-never")
    with pytest.raises(InputError, match="ever current"):
        found(builder, str(head_snapshot(table, "batch-never").snapshot_id))


def test_an_expired_moment_is_named_with_what_there_is(builder: LakeBuilder):
    first = builder.publish(CORPUS)
    versions, _ = heads(builder)
    builder.publish({"a.md": ["a four"]})
    builder.lake.table(DOCUMENT_VERSIONS).maintenance.expire_snapshots().by_id(versions).commit()
    for as_of in (first, str(versions)):
        with pytest.raises(InputError, match="expired"):
            found(builder, as_of)


def test_a_batch_of_another_profile_is_refused(builder: LakeBuilder):
    batch_id = builder.publish(CORPUS)
    with pytest.raises(InputError, match="belongs to profile"):
        find_moment(builder.lake, "another", batch_id)


def test_a_rejected_batch_is_no_moment(builder: LakeBuilder):
    batch_id = builder.publish(CORPUS)
    builder.reject(batch_id)
    with pytest.raises(InputError, match="is rejected"):
        found(builder, batch_id)


def test_a_moment_whose_batch_was_rejected_since_is_named_and_the_next_run_begins_anew(builder: LakeBuilder, rebuilding: Rebuilding):
    batch_id = builder.publish(CORPUS)
    versions, _ = heads(builder)
    builder.reject(batch_id)
    builder.publish(CORPUS)
    with pytest.raises(ConflictError, match="rejected since"):
        rebuilding.rebuild(as_of=str(versions))
    rebuilding.rebuild(run_id="another run")
    assert (rebuilding.states(), rebuilding.live["is_pinned"]) == ({"r1": "retired", "r2": "live"}, False)
    assert difference(builder, rebuilding.records()) == {}


def test_snapshots_of_a_rebuild_that_runs_do_not_expire(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    versions, _ = heads(builder)
    rebuilding.rebuild_until("begin_rebuild")
    builder.publish({"a.md": ["a four"]})
    table = builder.lake.table(DOCUMENT_VERSIONS)
    table.maintenance.expire_snapshots().older_than(datetime.now(UTC)).commit()
    table.refresh()
    assert table.snapshot_by_id(versions)
    rebuilding.rebuild()
    assert difference(builder, rebuilding.records()) == {}


def test_a_half_built_release_without_its_tags_is_named(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.rebuild_until("begin_rebuild")
    drop_tag(builder.lake.table(DOCUMENT_VERSIONS), f"release-{rebuilding.named('r2')}")
    with pytest.raises(ConflictError, match="discard_building"):
        rebuilding.rebuild(run_id="another run")
    rebuilding.rebuild(run_id="another run", discard_building=True)
    assert rebuilding.states() == {"r1": "retired", "r2": "dropped", "r3": "live"}
