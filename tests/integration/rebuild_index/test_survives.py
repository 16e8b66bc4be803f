"""Kills, faults and strangers: a rebuild that comes through leaves the live namespace equal to the lake, any other switches nothing."""

import random
import time
from collections.abc import Callable

import numpy as np
import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.index_tables import INDEX_FILLS
from embedding_lakehouse.core.records import encode_record, pack
from embedding_lakehouse.core.tables import INDEX_RELEASES
from embedding_lakehouse.errors import AuditFailed
from tests.index_fixtures import difference
from tests.interruptions import watched_catalog
from tests.lake_builder import LakeBuilder
from tests.rebuild_process import RebuildProcess
from tests.release_fixtures import Rebuilding

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"], "c.md": ["c one"]}
LARGER = {f"{number}.md": [f"text {number} {part}" for part in range(3)] for number in range(40)}
COMMITS_OF_A_RUN = 20


class Killed(BaseException):
    """The end of a run in a given moment: nothing of it catches this, and nothing after it happens."""


def killed_at_commit(lake: Lake, stack: Stack, when: str, number: int) -> Lake:
    """The lake of a run that is killed before or after its `number`th commit."""
    left = [number]

    def watch(moment: str, table: str) -> None:
        if moment == when:
            left[0] -= 1
            if not left[0]:
                raise Killed

    return Lake(watched_catalog(stack, watch), lake.sql)


def stranger(rebuilding: Rebuilding, namespace: str) -> None:
    """Put a record there that is none of ours."""
    values = np.ones(rebuilding.profile.dimensions, np.float32)
    rebuilding.index.upsert(pack([encode_record("stranger-1", values, {"who": "knows"})], namespace))


def test_runs_that_are_killed_at_random_are_made_good_by_the_next(trino_stack: Stack, builder: LakeBuilder, rebuilding: Rebuilding):
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    moments = random.Random(seed)
    builder.publish(CORPUS)
    rebuilding.sync()
    kills = 0
    for round_number in range(4):
        builder.publish({f"new {round_number}.md": [f"new {round_number}"]})
        lake = killed_at_commit(
            rebuilding.lake, trino_stack, moments.choice(["before", "after"]), moments.randint(1, COMMITS_OF_A_RUN // 2)
        )
        try:
            rebuilding.through(lake).rebuild(run_id=f"run {round_number}")
        except Killed:
            kills += 1
        rebuilding.sync()
        assert difference(builder, rebuilding.records()) == {}
    assert kills
    rebuilding.rebuild(run_id="the last run")
    assert difference(builder, rebuilding.records()) == {}
    assert set(rebuilding.states().values()) == {"retired", "live"}


@pytest.mark.parametrize("step", ["plan_rebuild", "begin_rebuild", "fill_shard", "verify_release"])
def test_a_process_that_is_killed_in_the_midst_of_a_step_is_made_good_by_the_next_run(
    builder: LakeBuilder, rebuilding: Rebuilding, step: str
):
    builder.publish(LARGER)
    rebuilding.sync()
    process = RebuildProcess(rebuilding, "killed")
    process.wait_for(step)
    time.sleep(random.uniform(0, 1))
    process.kill()
    builder.publish({"1.md": ["edited"]}, deleted=("2.md",))
    rebuilding.sync()
    rebuilding.rebuild(run_id="the next")
    assert difference(builder, rebuilding.records()) == {}
    assert set(rebuilding.states().values()) == {"retired", "live"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_is_killed_while_it_switches_is_made_good_by_the_next(
    trino_stack: Stack, builder: LakeBuilder, rebuilding: Rebuilding, when: str
):
    builder.publish(CORPUS)
    rebuilding.sync()
    run = rebuilding.rebuilding(run_id="a run")
    while next(run) != "verify_release":
        continue
    with pytest.raises(Killed):
        rebuilding.through(killed_at_commit(rebuilding.lake, trino_stack, when, 1)).switch(rebuilding.named("r2"))
    rebuilding.switch(rebuilding.named("r2"))
    assert rebuilding.states() == {"r1": "retired", "r2": "live"}
    assert rebuilding.index.alias_target(rebuilding.profile.name) == rebuilding.named("r2")
    assert difference(builder, rebuilding.records()) == {}


def test_a_finished_shard_is_not_written_again(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.rebuild_until("fill_shard")
    rebuilding.inject({"kind": "server_error", "path": "/vectors/upsert"})
    rebuilding.rebuild(run_id="another run")
    assert rebuilding.hits() == 0
    assert rebuilding.lake.table(INDEX_FILLS).scan().count() == 1


@pytest.mark.parametrize("visibility_delay_ms", [0, 2_000], ids=["a third of all requests fails", "and reads lag behind by two seconds"])
def test_a_rebuild_comes_through_faults(builder: LakeBuilder, rebuilding: Rebuilding, visibility_delay_ms: int):
    builder.publish(LARGER)
    rebuilding.inject({"kind": "server_error", "share": 0.3}, seed=11, visibility_delay_ms=visibility_delay_ms)
    rebuilding.rebuild()
    hits = rebuilding.hits()
    rebuilding.inject(visibility_delay_ms=0)
    assert hits > 0
    assert difference(builder, rebuilding.records()) == {}


def lose_the_namespace(rebuilding: Rebuilding) -> None:
    rebuilding.index.delete_namespace(rebuilding.named("r2"))


def lose_a_record(rebuilding: Rebuilding) -> None:
    rebuilding.index.delete(rebuilding.named("r2"), [next(rebuilding.index.list_ids(rebuilding.named("r2")))])


def spoil_a_vector(rebuilding: Rebuilding) -> None:
    namespace = rebuilding.named("r2")
    rebuilding.index._sdk.update(id=next(rebuilding.index.list_ids(namespace)), values=[0.5] * 8, namespace=namespace)


def spoil_a_receipt(rebuilding: Rebuilding) -> None:
    namespace = rebuilding.named("r2")
    rebuilding.index._sdk.update(id=next(rebuilding.index.list_ids(namespace)), set_metadata={"doc_id": "x"}, namespace=namespace)


def add_a_stranger(rebuilding: Rebuilding) -> None:
    stranger(rebuilding, rebuilding.named("r2"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_the_namespace, "is not there"),
        (lose_a_record, "is not there"),
        (spoil_a_vector, "another vector"),
        (spoil_a_receipt, "other metadata"),
        (add_a_stranger, "1 foreign such as stranger-1"),
    ],
)
def test_a_filled_namespace_that_is_not_the_lake_s_is_never_switched_to(
    builder: LakeBuilder, rebuilding: Rebuilding, spoil: Callable[[Rebuilding], None], said: str
):
    builder.publish(CORPUS)
    rebuilding.sync()
    rebuilding.rebuild_until("record_fill")
    spoil(rebuilding)
    with pytest.raises(AuditFailed, match=said):
        rebuilding.impatient().rebuild(run_id="another run")
    assert rebuilding.states() == {"r1": "live", "r2": "building"}
    assert difference(builder, rebuilding.records()) == {}
    rebuilding.rebuild(run_id="a third run", discard_building=True)
    assert difference(builder, rebuilding.records()) == {}


def test_among_many_records_a_stranger_is_seen_by_their_number(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.part_rows = 10_000
    builder.publish({f"{number}.md": [f"text {number} {part}" for part in range(30)] for number in range(334)})
    rebuilding.rebuild_until("record_fill")
    stranger(rebuilding, rebuilding.named("r2"))
    with pytest.raises(AuditFailed, match="holds 10021 records instead of 10020"):
        rebuilding.impatient().rebuild(run_id="another run")
    rebuilding.index.delete(rebuilding.named("r2"), ["stranger-1"])
    rebuilding.rebuild(run_id="another run")
    assert rebuilding.live["record_count"] == 10_020


def test_readers_find_a_complete_index_at_every_step(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.sync()
    for _ in rebuilding.rebuilding():
        assert difference(builder, rebuilding.records()) == {}
        by_alias = rebuilding.index.fetch(rebuilding.profile.name, list(builder.current()))
        assert by_alias.keys() == builder.current().keys()


def test_the_journal_is_never_without_a_live_release(trino_stack: Stack, builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    seen = []

    def look(moment: str, table: str) -> None:
        if table == INDEX_RELEASES.name:
            seen.append([state for state in rebuilding.states().values() if state == "live"])

    rebuilding.through(Lake(watched_catalog(trino_stack, look), rebuilding.lake.sql)).rebuild()
    assert len(seen) > 4
    assert all(live == ["live"] for live in seen)
