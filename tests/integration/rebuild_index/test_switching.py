"""Back to an earlier release at once, and the end of those whose time is over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedding_lakehouse.clients.pinecone import IndexBusy
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS
from embedding_lakehouse.errors import AuditFailed, ConfigurationError, InputError, NothingToDo
from embedding_lakehouse.steps.switch_release import choose_release
from tests.index_fixtures import difference
from tests.lake_builder import LakeBuilder
from tests.release_fixtures import Rebuilding

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"]}


@pytest.fixture
def two(builder: LakeBuilder, rebuilding: Rebuilding) -> Rebuilding:
    """An index whose second release is live and whose first one is kept."""
    builder.publish(CORPUS)
    rebuilding.sync()
    rebuilding.rebuild()
    return rebuilding


def let_time_pass(rebuilding: Rebuilding) -> None:
    """As if every retired release had been kept long enough."""
    past = datetime.now(UTC) - timedelta(days=1)
    Releases(rebuilding.lake).change(lambda rows: [row | {"keep_until": past} for row in rows if row["keep_until"]])


def put(rebuilding: Rebuilding, release_id: str, **changes: Any) -> None:
    """Another shape in a release's row than its index has, or the name of an index that is not there."""
    Releases(rebuilding.lake).change(lambda rows: [row | changes for row in rows if row["release_id"] == release_id])


def test_an_earlier_release_is_live_at_once_and_is_brought_forward_by_the_difference(builder: LakeBuilder, two: Rebuilding):
    builder.publish({"a.md": ["a one", "a four"]})
    assert two.sync() == (1, 2)
    assert two.switch() == two.named("r1")
    assert two.states() == {"r1": "live", "r2": "retired"}
    assert two.sync() == (1, 2)
    assert difference(builder, two.records()) == {}
    assert two.switch() == two.named("r2")
    assert difference(builder, two.records()) == {}


def test_switching_twice_switches_once(two: Rebuilding):
    chosen = choose_release(two.profile.name, lake=two.lake, service=two.service)
    assert two.switch(chosen) == two.switch(chosen) == two.live["release_id"]
    assert two.states() == {"r1": "live", "r2": "retired"}


def test_a_switch_that_failed_at_the_alias_is_finished_by_the_next_run_and_not_taken_back(two: Rebuilding):
    two.inject({"kind": "server_error", "path": f"/namespace-aliases/{two.profile.name}"})
    with pytest.raises(IndexBusy):
        two.impatient().switch(two.named("r1"))
    two.inject()
    assert two.index.alias_target(two.profile.name) == two.named("r2")
    assert two.switch() == two.named("r1")
    assert two.states() == {"r1": "live", "r2": "retired"}
    assert two.index.alias_target(two.profile.name) == two.named("r1")
    assert two.switch() == two.named("r2")


def test_the_way_back_is_open_where_the_index_of_the_live_release_is_gone(two: Rebuilding):
    put(two, two.named("r2"), index_name="gone")
    assert two.switch() == two.named("r1")
    assert two.states() == {"r1": "live", "r2": "retired"}


def test_the_reason_of_a_switch_is_kept(two: Rebuilding):
    two.switch()
    assert two.live["reason"].endswith("by a run: a test")


def test_a_release_whose_namespace_disappeared_is_not_switched_to(two: Rebuilding):
    two.index.delete_namespace(two.named("r1"))
    with pytest.raises(AuditFailed, match=r"holds 0 records instead of 5.*rebuild_index"):
        two.impatient().switch()
    assert two.states() == {"r1": "retired", "r2": "live"}


def test_a_release_that_lost_a_record_is_not_switched_to(builder: LakeBuilder, two: Rebuilding):
    two.index.delete(two.named("r1"), [min(builder.current())])
    with pytest.raises(AuditFailed, match="holds 4 records instead of 5"):
        two.impatient().switch()


def test_without_an_earlier_release_there_is_nothing_to_go_back_to(rebuilding: Rebuilding):
    with pytest.raises(InputError, match="keeps no release"):
        rebuilding.switch()


def test_a_half_built_release_is_not_switched_to(builder: LakeBuilder, two: Rebuilding):
    two.rebuild_until("fill_shard")
    with pytest.raises(InputError, match="r3 is building"):
        two.switch(two.named("r3"))


def test_a_retired_release_is_dropped_once_its_time_is_over(builder: LakeBuilder, two: Rebuilding):
    with pytest.raises(NothingToDo, match="no release"):
        two.drop()
    let_time_pass(two)
    with pytest.raises(NothingToDo, match=r"would drop .*r1"):
        two.drop(dry_run=True)
    assert two.drop() == [two.named("r1")]
    assert two.states() == {"r1": "dropped", "r2": "live"}
    assert not two.index.namespace_exists(two.named("r1"))
    assert f"release-{two.named('r1')}" not in two.lake.table(DOCUMENT_VERSIONS).refs()
    assert difference(builder, two.records()) == {}
    with pytest.raises(NothingToDo):
        two.drop()


def test_the_live_release_is_never_dropped(two: Rebuilding):
    with pytest.raises(InputError, match="is the live one"):
        two.drop(two.named("r2"))
    assert two.index.record_count(two.named("r2")) == 5


def test_a_half_built_release_is_dropped_only_by_its_name(two: Rebuilding):
    two.rebuild_until("fill_shard")
    let_time_pass(two)
    assert two.drop() == [two.named("r1")]
    assert two.drop(two.named("r3")) == [two.named("r3")]
    assert two.states() == {"r1": "dropped", "r2": "live", "r3": "dropped"}


def test_a_drop_that_was_killed_is_finished_by_the_next(two: Rebuilding):
    let_time_pass(two)
    Releases(two.lake).move(two.named("r1"), "dropped", keep_until=datetime.now(UTC))
    assert two.drop() == [two.named("r1")]
    assert not two.index.namespace_exists(two.named("r1"))
    with pytest.raises(NothingToDo):
        two.drop()


def test_a_release_whose_index_is_gone_is_dropped(two: Rebuilding):
    put(two, two.named("r1"), index_name="gone")
    let_time_pass(two)
    assert two.drop() == [two.named("r1")]
    assert f"release-{two.named('r1')}" not in two.lake.table(DOCUMENT_VERSIONS).refs()
    with pytest.raises(NothingToDo):
        two.drop()


def test_where_the_index_of_the_live_release_is_gone_others_are_dropped(two: Rebuilding):
    put(two, two.named("r2"), index_name="gone")
    two.index.point_alias(two.profile.name, two.named("r1"))
    let_time_pass(two)
    assert two.drop() == [two.named("r1")]
    assert not two.index.namespace_exists(two.named("r1"))


def test_a_release_that_cannot_be_dropped_holds_up_no_other(two: Rebuilding):
    two.rebuild()
    let_time_pass(two)
    first, second = (row["release_id"] for row in Releases(two.lake).rows() if row["state"] == "retired")
    put(two, first, dimension=9)
    with pytest.raises(ConfigurationError, match="dimension 8"):
        two.drop()
    assert two.release(second)["keep_until"] is None
    assert not two.index.namespace_exists(second)
    assert two.index.namespace_exists(first)
    put(two, first, dimension=8)
    assert two.drop() == [first]
