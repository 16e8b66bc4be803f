"""Kills, faults and late reads: a reconciliation that comes through, or is run again, leaves the index equal to the record."""

from dataclasses import replace

import pytest

from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.index_tables import INDEX_FINDINGS, INDEX_RECONCILIATIONS
from embedding_lakehouse.core.tables import SYNC_CHANGES
from embedding_lakehouse.errors import ConflictError, TransientError
from tests.index_fixtures import Following, difference
from tests.integration.reconcile_index.test_comparison import CORPUS, FOREIGN, put
from tests.lake_builder import LakeBuilder
from tests.reconcile_fixtures import Reconciling


@pytest.fixture
def spoiled(builder: LakeBuilder, following: Following) -> list[str]:
    """The ids of the records of an index that lacks one, has another vector for one, and holds foreign ones."""
    builder.publish(CORPUS)
    following.sync()
    ids = sorted(builder.current())
    following.index.delete(following.namespace, ids[:1])
    following.index._sdk.update(id=ids[1], values=[0.5] * 8, namespace=following.namespace)
    put(following, FOREIGN)
    return ids


@pytest.mark.parametrize("kind", ["server_error", "cut_before", "cut_after"])
def test_a_reconciliation_comes_through_a_third_of_failing_requests(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling, kind: str
):
    following.inject({"kind": kind, "share": 0.3}, seed=7)
    figures = reconciling.reconcile()
    hits = following.hits()
    following.inject()
    assert hits > 0
    assert figures["is_complete"]
    assert difference(builder, following.records()) == {}


@pytest.mark.parametrize("last", ["plan", "records", "ids", "conclude", "propose"])
def test_a_run_killed_before_its_repair_is_made_good_by_the_next(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling, last: str
):
    for step in reconciling.steps(ask=False):
        if step == last:
            break
    reconciling.reconcile()
    assert difference(builder, following.records()) == {}


def test_a_killed_repair_is_made_good_by_a_sync_and_the_next_run(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    list(reconciling.comparing())
    reconciling.plan_repair()
    with pytest.raises(ConflictError, match="sync_index"):
        reconciling.reconcile()
    following.sync()
    reconciling.reconcile()
    assert difference(builder, following.records()) == {}
    assert Releases(following.lake).live(following.profile.name)["open_syncs"] == []


def test_a_repair_that_is_planned_again_takes_over_what_it_opened(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    list(reconciling.comparing())
    reconciling.plan_repair()
    following.apply(reconciling.plan_repair())
    assert difference(builder, following.records()) == {}
    assert Releases(following.lake).live(following.profile.name)["open_syncs"] == []


def test_a_task_tried_twice_finds_everything_once(spoiled: list[str], following: Following, reconciling: Reconciling):
    steps = reconciling.comparing()
    next(steps)
    for part in reconciling.results["plan"]:
        reconciling.compare(part)
    list(steps)
    assert scan(following.lake.table(INDEX_FINDINGS)).count() == 2 + len(FOREIGN)


def test_records_that_cannot_be_fetched_are_tried_again_and_never_said_to_be_missing(
    spoiled: list[str], following: Following, reconciling: Reconciling
):
    reconciling.following, reconciling.tries = replace(following, service=replace(following.service, patience=0.3)), 2
    following.inject({"kind": "server_error", "path": "/vectors/fetch"})
    with pytest.raises(TransientError):
        reconciling.reconcile()
    assert scan(following.lake.table(INDEX_RECONCILIATIONS)).count() == 0


def test_writes_that_are_not_yet_visible_are_no_differences(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"a.md": ["a four"], "d.md": ["d one"]}, deleted=("b.md",))
    shards = following.plan()
    following.inject(visibility_delay_ms=2_000)
    following.apply(shards)
    reconciling.settle = 3
    assert reconciling.reconcile(repair="never")["fidelity"] == 1.0


def test_a_comparison_that_is_given_up_leaves_the_next_sync_as_it_was(
    spoiled: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    next(reconciling.comparing())
    assert following.plan() == []
    assert len(scan(following.lake.table(SYNC_CHANGES)).to_arrow()["sync_id"].unique()) == 2
