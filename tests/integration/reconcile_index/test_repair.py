"""Repairs: after them the index equals the record exactly; above the limit, or where a listing was cut short, nothing is done unasked."""

from dataclasses import replace

import pytest

from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.tables import INDEX_SYNCS, SYNC_CHANGES
from embedding_lakehouse.errors import ApprovalRequired, ConflictError, NothingToDo
from tests.index_fixtures import Following, difference
from tests.integration.reconcile_index.test_comparison import CORPUS, FOREIGN, delete_namespace, put
from tests.lake_builder import LakeBuilder
from tests.reconcile_fixtures import Reconciling

MANY = {f"{number}.md": [f"text {number} {part}" for part in range(5)] for number in range(30)}


@pytest.fixture
def spoiled(builder: LakeBuilder, following: Following) -> list[str]:
    """The ids of the records of an index in which every kind of difference is to be found."""
    builder.title({f"a.md {builder.profile.name}": "A title"})
    builder.publish(CORPUS | {f"a.md {builder.profile.name}": ["titled"]})
    following.sync()
    ids = sorted(builder.current())
    following.index.delete(following.namespace, ids[:2])
    following.index._sdk.update(id=ids[2], values=[0.5] * 8, namespace=following.namespace)
    following.index._sdk.update(id=ids[3], set_metadata={"chunk_index": 77}, namespace=following.namespace)
    put(following, [ids[4]], model_version="another-v2")
    put(following, FOREIGN)
    return ids


def pin(following: Following) -> None:
    """As if the live release had been rebuilt of a past moment."""
    name = following.profile.name
    Releases(following.lake).change(lambda rows: [row | {"is_pinned": True} for row in rows if row["profile"] == name])


def test_every_kind_of_difference_is_repaired(spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling):
    figures = reconciling.reconcile(ask=True)
    kinds = ("missing", "orphaned", "stale", "wrong_profile")
    assert [figures[f"{kind}_count"] for kind in kinds] == [2, len(FOREIGN), 2, 1]
    assert difference(builder, following.records()) == {}
    assert reconciling.reconcile()["fidelity"] == 1.0


def test_a_repair_is_a_recorded_sync_that_leaves_the_watermark(spoiled: list[str], following: Following, reconciling: Reconciling, profile):
    before = Releases(following.lake).live(profile.name)
    reconciling.reconcile()
    after = Releases(following.lake).live(profile.name)
    kept = ("versions_snapshot", "embeddings_snapshot", "record_count", "id_checksum", "open_syncs")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert after["id_checksum"] == checksum(spoiled)
    rows = scan(following.lake.table(INDEX_SYNCS), profile=profile.name, run_id="a test").to_arrow().to_pylist()
    (repair,) = (row for row in rows if row["dag_id"] == "reconcile_index")
    assert (repair["records_upserted"], repair["records_deleted"]) == (5, len(FOREIGN))


def test_a_sync_after_a_repair_finds_nothing_to_do(spoiled: list[str], following: Following, reconciling: Reconciling):
    reconciling.reconcile()
    assert following.plan() == []


def test_a_namespace_that_is_gone_asks_before_it_is_filled_again(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish(MANY)
    following.sync()
    delete_namespace(following)
    with pytest.raises(ApprovalRequired, match=r"missing: 150(.|\n)*writes 150 records from the lake and removes 0(.|\n)*may change 100"):
        reconciling.reconcile(ask=True)
    assert following.records() == {}
    assert Releases(following.lake).live(following.profile.name)["open_syncs"] == []
    reconciling.reconcile(ask=False)
    assert difference(builder, following.records()) == {}


def test_more_foreign_records_than_the_limit_are_kept_until_somebody_consents(
    builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    builder.publish(CORPUS)
    following.sync()
    put(following, [f"foreign-{number:03}" for number in range(101)])
    with pytest.raises(ApprovalRequired, match=r"removes 101(.|\n)*`foreign-000` orphaned"):
        reconciling.reconcile(ask=True)
    assert len(following.records()) == 107


def test_a_dry_run_changes_nothing(spoiled: list[str], following: Following, reconciling: Reconciling):
    before = following.records().keys()
    reconciling.reconcile(repair="never")
    assert following.records().keys() == before


def test_a_listing_that_was_cut_short_never_removes_anything(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    reconciling.following = replace(following, service=replace(following.service, patience=0.3))
    following.inject({"kind": "server_error", "path": "/vectors/list"})
    figures = reconciling.reconcile(ask=False)
    following.inject()
    assert (figures["is_complete"], figures["listed_count"]) == (False, 0)
    assert set(difference(builder, following.records()).values()) == {"orphaned"}


def test_what_a_cut_listing_found_is_kept_and_not_removed(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish(CORPUS)
    following.sync()
    put(following, FOREIGN)
    reconciling.following = replace(following, service=replace(following.service, patience=0.3))
    steps = reconciling.comparing()
    assert [next(steps), next(steps)] == ["plan", "records"]
    whole = reconciling.compare(reconciling.results["plan"][-1], ids="0123456789abcdef")
    following.inject({"kind": "cut_before", "path": "/vectors/list"})
    cut = reconciling.compare(reconciling.results["plan"][-1], ids=" ~Z%A")
    following.inject()
    reconciling.results["ids"] = [whole, cut]
    reconciling.conclude()
    figures = reconciling.results["conclude"]
    assert (figures["is_complete"], figures["orphaned_count"]) == (False, 3)
    with pytest.raises(NothingToDo):
        list(reconciling.repairing())
    assert len(following.records()) == 6 + len(FOREIGN)


def test_an_open_sync_is_waited_for(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"a.md": ["a four"]})
    following.plan()
    with pytest.raises(ConflictError, match="run it"):
        reconciling.reconcile()
    following.sync()
    assert reconciling.reconcile()["fidelity"] == 1.0


def test_a_sync_during_the_comparison_is_newer_and_stops_the_repair(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    steps = reconciling.comparing()
    next(steps)
    builder.publish({"a.md": ["a four"], "d.md": ["d one", "d two"]}, deleted=("b.md",))
    following.sync()
    list(steps)
    figures = reconciling.results["conclude"]
    assert figures["newer_count"] >= 3
    assert figures["orphaned_count"] == len(FOREIGN)
    with pytest.raises(ConflictError, match="moved the release"):
        reconciling.plan_repair()
    reconciling.reconcile()
    assert difference(builder, following.records()) == {}


def test_what_a_sync_wrote_that_led_back_meanwhile_is_left_alone(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish(CORPUS)
    before = builder.moment()
    following.sync()
    missing = min(builder.current())
    steps = reconciling.comparing()
    next(steps)
    builder.publish({"d.md": ["d one", "d two"]})
    following.sync()
    following.index.delete(following.namespace, [missing])
    list(steps)
    builder.roll_back(before)
    following.sync()
    reconciling.conclude()
    found = reconciling.results["conclude"]
    assert (found["newer_count"], found["orphaned_count"], found["missing_count"]) == (2, 0, 1)
    following.apply(reconciling.plan_repair())
    assert difference(builder, following.records()) == {}


def test_a_sync_that_opened_after_the_comparison_stops_the_repair(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    list(reconciling.comparing())
    builder.publish({"a.md": ["a four"]})
    shards = following.plan()
    with pytest.raises(ConflictError, match="at work"):
        reconciling.plan_repair()
    changes = scan(reconciling.lake.table(SYNC_CHANGES)).to_arrow()["sync_id"].unique().to_pylist()
    assert len(changes) == 2
    following.apply(shards)
    reconciling.reconcile()
    assert difference(builder, following.records()) == {}


def test_a_sync_cannot_open_while_a_repair_is_at_work(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    list(reconciling.comparing())
    repair = reconciling.plan_repair()
    builder.publish({"a.md": ["a four"]})
    following.sync()
    with pytest.raises(ConflictError, match="another sync"):
        following.apply(repair)
    reconciling.reconcile()
    assert difference(builder, following.records()) == {}


def test_a_pinned_release_is_compared_with_what_it_holds(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish(CORPUS)
    following.sync()
    held = following.records().keys()
    pin(following)
    builder.publish({}, deleted=("a.md",))
    following.index.delete(following.namespace, sorted(held)[:3])
    assert reconciling.reconcile()["missing_count"] == 3
    assert following.records().keys() == held


def test_a_repair_of_a_pinned_release_that_was_never_recorded_is_made_good_by_a_sync_that_leaves_it_there(
    builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    builder.publish(CORPUS)
    following.sync()
    held = following.records().keys()
    pin(following)
    before = Releases(following.lake).live(following.profile.name)
    builder.publish({}, deleted=("a.md",))
    following.index.delete(following.namespace, sorted(held)[:3])
    list(reconciling.comparing())
    reconciling.plan_repair()
    with pytest.raises(ConflictError, match="run it"):
        reconciling.reconcile()
    following.sync()
    after = Releases(following.lake).live(following.profile.name)
    assert after | {"updated_at": None} == before | {"updated_at": None}
    assert following.records().keys() == held
    assert reconciling.reconcile()["fidelity"] == 1.0


def test_a_repair_that_only_removes_and_was_never_recorded_holds_nothing_up(
    builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    builder.publish(CORPUS)
    following.sync()
    put(following, FOREIGN)
    list(reconciling.comparing())
    reconciling.plan_repair()
    assert following.sync() == (0, 0)
    reconciling.reconcile()
    assert difference(builder, following.records()) == {}


def test_a_pinned_release_whose_batch_was_rolled_back_since_names_the_ways_on(
    builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    batch_id = builder.publish(CORPUS)
    following.sync()
    pin(following)
    builder.reject(batch_id)
    with pytest.raises(ConflictError, match=r"pinned to a moment.*rebuild_index with another moment, or switch_release"):
        reconciling.reconcile()
