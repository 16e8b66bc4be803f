"""Kills, faults and races: a sync that comes through leaves the index equal to the lake, one that does not has removed nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from embedding_lakehouse.clients.pinecone import IndexBusy, IndexService
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_changes import planned_upserts
from embedding_lakehouse.errors import ConfigurationError, ConflictError, TransientError
from embedding_lakehouse.steps.sync_index.closing import record_sync, verify_records
from embedding_lakehouse.steps.sync_index.writing import delete_records, upsert_records
from tests.index_fixtures import API_KEY, Following, difference
from tests.lake_builder import LakeBuilder

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"], "c.md": ["c one"]}
FAULTS = {
    "a third of all requests fails": [{"kind": "server_error", "share": 0.3}],
    "throttled with Retry-After": [{"kind": "too_many_requests", "times": 2, "retry_after_s": 0.2}],
    "half of a request is written": [{"kind": "partial_write", "path": "/vectors/upsert", "times": 2}],
    "connections cut before the request": [{"kind": "cut_before", "share": 0.3}],
    "connections cut before the answer": [{"kind": "cut_after", "share": 0.3}],
}


@pytest.mark.parametrize("rules", FAULTS.values(), ids=FAULTS.keys())
def test_a_sync_comes_through_faults(builder: LakeBuilder, following: Following, rules: list[dict]):
    builder.publish({f"{number}.md": [f"text {number}"] for number in range(30)})
    following.inject(*rules, seed=7)
    following.sync()
    hits = following.hits()
    following.inject()
    assert hits > 0
    assert difference(builder, following.records()) == {}


def test_removals_come_through_faults(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({}, deleted=("a.md",))
    following.inject(
        {"kind": "cut_after", "path": "/vectors/delete", "times": 1}, {"kind": "server_error", "path": "/vectors/delete", "times": 1}
    )
    following.sync()
    following.inject()
    assert difference(builder, following.records()) == {}


def test_records_are_removed_only_after_the_new_ones_can_be_read(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"a.md": ["a four"]}, deleted=("b.md",))
    following.inject(visibility_delay_ms=60_000)
    shards = following.plan()
    upserted = [upsert_records(shard, following.lake, following.service) for shard in shards]
    with pytest.raises(TransientError, match="behind"):
        verify_records(shards, upserted, following.lake, IndexService(API_KEY, following.service.host, patience=0.5))


def test_a_sync_waits_for_an_index_that_lags_behind(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.inject(visibility_delay_ms=700)
    following.sync()
    following.inject(visibility_delay_ms=0)
    assert difference(builder, following.records()) == {}


def test_a_record_with_another_vector_is_found_and_named(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    shards = following.plan()
    upserted = [upsert_records(shard, following.lake, following.service) for shard in shards]
    spoiled = min(builder.current())
    following.index._sdk.update(id=spoiled, values=[0.5] * 8, namespace=following.namespace)
    with pytest.raises(TransientError, match=f"{spoiled}.*another vector"):
        verify_records(shards, upserted, following.lake, IndexService(API_KEY, following.service.host, patience=0.5))


def test_a_namespace_deleted_behind_our_back_does_not_stop_the_removal(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    following.delete_namespace()
    builder.publish({}, deleted=("a.md",))
    assert following.sync() == (0, 3)


def kill_while(run: str, shard: dict, is_time: Callable[[], bool]) -> None:
    """Run a step with a shard in a process of its own, and end it with SIGKILL as soon as `is_time` says so."""
    source = (
        f"import json; from embedding_lakehouse.steps.sync_index import writing as steps; steps.{run}(json.loads({json.dumps(shard)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", source], env=os.environ) as process:
        while process.poll() is None and not is_time():
            time.sleep(0.02)
        assert process.poll() is None, "the step ended before it could be killed"
        process.send_signal(signal.SIGKILL)


@pytest.fixture
def killed(builder: LakeBuilder, following: Following, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The plan of a first sync whose only shard was killed in the middle of its upserts."""
    connection = {"conn_type": "generic", "host": following.service.host, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINECONE_DEFAULT", json.dumps(connection))
    builder.part_rows = 2_000
    builder.publish({f"{number}.md": [f"text {number} {part}" for part in range(10)] for number in range(800)})
    shards = following.plan()
    following.inject({"kind": "rate_limit", "requests_per_second": 1, "path": "/vectors/upsert", "retry_after_s": 0.5})
    stats = following.index._sdk.describe_index_stats
    kill_while("upsert_records", shards[0], lambda: stats().total_vector_count > 0)
    following.inject()
    assert 0 < stats().total_vector_count < 8_000
    return shards


def test_a_killed_upsert_is_finished_by_its_next_try(builder: LakeBuilder, following: Following, killed: list[dict]):
    following.apply(killed)
    assert difference(builder, following.records()) == {}


def test_what_an_abandoned_sync_wrote_is_made_good_by_the_next(builder: LakeBuilder, following: Following, killed: list[dict]):
    builder.publish({"1.md": ["edited"]}, deleted=tuple(f"{number}.md" for number in range(2, 800, 2)))
    following.sync()
    assert difference(builder, following.records()) == {}
    assert Releases(following.lake).live(following.profile.name)["open_syncs"] == []


def test_what_a_sync_removed_and_never_recorded_comes_back_after_a_rollback(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    before = builder.moment()
    builder.publish({"a.md": ["a four"]}, deleted=("b.md",))
    for shard in following.plan():
        upsert_records(shard, following.lake, following.service)
        delete_records(shard, following.lake, following.service)
    builder.roll_back(before)
    following.sync()
    assert difference(builder, following.records()) == {}


def test_a_sync_that_another_overtook_writes_nothing_more(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    overtaken = following.plan()
    builder.publish({"a.md": ["a four"]}, deleted=("b.md",))
    overtaking = following.plan()
    with pytest.raises(ConflictError, match="another sync"):
        upsert_records(overtaken[0], following.lake, following.service)
    following.apply(overtaking)
    with pytest.raises(ConflictError, match="watermark"):
        record_sync(overtaken, [], [], following.lake)
    assert difference(builder, following.records()) == {}


def test_a_data_file_that_was_removed_since_the_plan_is_named(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    (shard,) = following.plan()
    file = planned_upserts(following.lake, shard["sync"]["sync_id"], 0)[0].source_file
    Path(file.removeprefix("file://")).unlink()
    with pytest.raises(ConflictError, match=f"{file} was removed"):
        upsert_records(shard, following.lake, following.service)


def test_recording_twice_records_once(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    shards = following.plan()
    following.apply(shards)
    recorded = Releases(following.lake).live(following.profile.name)
    record_sync(shards, [], [], following.lake)
    assert Releases(following.lake).live(following.profile.name) == recorded


def test_a_wrong_api_key_names_the_connection(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    (shard,) = following.plan()
    with pytest.raises(ConfigurationError, match="pinecone_default"):
        upsert_records(shard, following.lake, IndexService("wrong", following.service.host))


def test_an_index_that_is_down_is_worth_another_try(builder: LakeBuilder, following: Following, unused_port: int):
    builder.publish(CORPUS)
    (shard,) = following.plan()
    with pytest.raises(IndexBusy, match="did not answer"):
        upsert_records(shard, following.lake, IndexService(API_KEY, f"http://127.0.0.1:{unused_port}", patience=1))
