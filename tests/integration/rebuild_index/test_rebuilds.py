"""A fresh namespace equals the lake before anybody reads from it, and the one before it stays until its time is over."""

import pytest

from embedding_lakehouse.clients.fills import Fills
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, INDEX_SYNCS
from embedding_lakehouse.errors import ConflictError, InputError, NothingToDo
from embedding_lakehouse.steps.rebuild_index.planning import plan_rebuild
from tests.index_fixtures import difference
from tests.lake_builder import LakeBuilder
from tests.release_fixtures import PARAMS, Rebuilding

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"], "c.md": ["c one"]}


def planned(rebuilding: Rebuilding, **params) -> dict:
    return plan_rebuild(PARAMS | {"profile": rebuilding.profile.name} | params, rebuilding.lake, rebuilding.service)


def test_a_rebuild_makes_a_verified_copy_of_the_lake_the_live_release(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.sync()
    before = rebuilding.namespace
    rebuilding.rebuild()
    live = rebuilding.live
    assert rebuilding.states() == {"r1": "retired", "r2": "live"}
    assert (live["record_count"], live["id_checksum"], live["probe_recall"]) == (6, checksum(builder.current()), 1.0)
    assert live["verified_at"] and not live["is_pinned"] and live["method"] == "upserts"
    assert rebuilding.namespace != before
    assert difference(builder, rebuilding.records()) == {}


def test_the_alias_of_the_profile_leads_to_the_live_release(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.sync()
    assert rebuilding.index.alias_target(rebuilding.profile.name) == rebuilding.named("r1")
    rebuilding.rebuild()
    assert rebuilding.index.alias_target(rebuilding.profile.name) == rebuilding.named("r2")
    rebuilding.switch()
    assert rebuilding.index.alias_target(rebuilding.profile.name) == rebuilding.named("r1")


def test_the_snapshots_of_both_releases_are_kept_from_expiry(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.sync()
    rebuilding.rebuild()
    tags = rebuilding.lake.table(DOCUMENT_VERSIONS).refs()
    for number in ("r1", "r2"):
        name = rebuilding.named(number)
        assert tags[f"release-{name}"].snapshot_id == rebuilding.release(name)["versions_snapshot"]


def test_a_plan_says_what_it_will_do_and_writes_nothing(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.sync()
    plan = planned(rebuilding)
    assert (plan["documents"], plan["records"], plan["texts_embedded"], plan["method"]) == (3, 6, 0, "upserts")
    assert plan["bytes"] > 0 and plan["requests"] == 1 and plan["seconds"] > 0
    assert rebuilding.states() == {"r1": "live"}


def test_a_dry_run_ends_with_its_plan(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    with pytest.raises(NothingToDo, match=r"dry run: rebuild of .* 3 documents, 6 records"):
        rebuilding.rebuild(dry_run=True)
    assert rebuilding.states() == {"r1": "live"}


def test_what_is_published_while_it_is_filled_is_there_before_the_switch(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.sync()
    for step in rebuilding.rebuilding():
        if step == "fill_shard":
            builder.publish({"a.md": ["a one", "a new"]}, deleted=("b.md",))
            rebuilding.sync()
            assert difference(builder, rebuilding.records()) == {}
        if step == "apply_sync":
            assert rebuilding.states() == {"r1": "live", "r2": "verified"}
    assert rebuilding.states() == {"r1": "retired", "r2": "live"}
    assert difference(builder, rebuilding.records()) == {}
    assert rebuilding.plan() == []


def test_a_new_live_release_follows_the_lake(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.rebuild()
    builder.publish({"a.md": ["a four"]}, deleted=("c.md",))
    assert rebuilding.sync() == (1, 4)
    assert difference(builder, rebuilding.records()) == {}


def test_a_fill_is_recorded_as_a_sync_from_nothing(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.rebuild()
    (row,) = scan(rebuilding.lake.table(INDEX_SYNCS), release_id=rebuilding.named("r2")).to_arrow().to_pylist()
    assert (row["from_versions_snapshot"], row["documents_changed"], row["records_upserted"], row["requests"]) == (None, 3, 6, 1)
    assert Fills(rebuilding.lake, row["sync_id"]).total()["records"] == 6


def test_a_lake_without_a_record_is_nothing_to_build_from(builder: LakeBuilder, rebuilding: Rebuilding):
    with pytest.raises(InputError, match="nothing to build"):
        rebuilding.rebuild()


def test_a_release_that_a_killed_run_left_is_gone_on_with(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.rebuild_until("begin_rebuild")
    builder.publish({"d.md": ["d one"]})
    rebuilding.rebuild(run_id="another run")
    assert rebuilding.states() == {"r1": "retired", "r2": "live"}
    assert difference(builder, rebuilding.records()) == {}


def test_a_half_built_release_of_another_moment_is_named(builder: LakeBuilder, rebuilding: Rebuilding):
    first = builder.publish(CORPUS)
    builder.publish({"a.md": ["a four"]})
    rebuilding.rebuild_until("fill_shard")
    with pytest.raises(ConflictError, match=r"r2.*discard_building"):
        rebuilding.rebuild(as_of=first, run_id="another run")
    assert rebuilding.states() == {"r1": "live", "r2": "building"}


def test_a_half_built_release_is_discarded_on_request(builder: LakeBuilder, rebuilding: Rebuilding):
    first = builder.publish(CORPUS)
    before = builder.current()
    builder.publish({"a.md": ["a four"]})
    rebuilding.rebuild_until("fill_shard")
    rebuilding.rebuild(as_of=first, run_id="another run", discard_building=True)
    assert rebuilding.states() == {"r1": "retired", "r2": "dropped", "r3": "live"}
    assert not rebuilding.index.namespace_exists(rebuilding.named("r2"))
    assert rebuilding.records().keys() == before.keys()


def test_a_rebuild_that_another_overtook_switches_nothing(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    overtaken = rebuilding.rebuilding(run_id="first")
    assert [next(overtaken), next(overtaken)] == ["plan_rebuild", "begin_rebuild"]
    rebuilding.rebuild(run_id="second", discard_building=True)
    with pytest.raises(ConflictError, match="dropped"):
        list(overtaken)
    assert rebuilding.states() == {"r1": "retired", "r2": "dropped", "r3": "live"}
    assert difference(builder, rebuilding.records()) == {}


def test_two_rebuilds_at_once_build_one_release(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    runs = [rebuilding.rebuilding(run_id=name) for name in ("first", "second")]
    next(runs[0]), next(runs[0])
    for steps in zip(*runs, strict=False):
        assert steps
    assert rebuilding.states() == {"r1": "retired", "r2": "live"}
    assert difference(builder, rebuilding.records()) == {}


def test_another_rebuild_that_began_between_plan_and_beginning_is_named(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    late = rebuilding.rebuilding(run_id="late")
    next(late)
    rebuilding.rebuild_until("begin_rebuild", run_id="early")
    with pytest.raises(ConflictError, match="early began the release"):
        next(late)
