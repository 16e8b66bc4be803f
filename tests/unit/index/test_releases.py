"""The rules by which a sync may write to a release and move its watermark."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.releases import first_release, live_release
from embedding_lakehouse.core.syncs import Sync, check_open, close_sync, is_recorded, open_sync
from embedding_lakehouse.errors import ConfigurationError, ConflictError

NOW = datetime(2026, 1, 31, tzinfo=UTC)
PROFILE = Profile("small", "wordllama", "m", "small-v1", 8)


def release(**changes: Any) -> dict[str, Any]:
    (row,) = first_release([], PROFILE, "a test", NOW)
    return row | {"versions_snapshot": 1, "embeddings_snapshot": 1, **changes}


SYNC = Sync("s1", "small", "small-r1", "an-index", 8, "cosine", "small-r1", 1, 2, 2, [], 3, 4, "sync_index", "a run", NOW.isoformat())


def test_a_profile_begins_with_one_live_release():
    (row,) = first_release([], PROFILE, "a test", NOW)
    assert (row["state"], row["namespace"], row["versions_snapshot"]) == ("live", "small-r1", None)
    assert first_release([row], PROFILE, "a test", NOW) == []


def test_a_retired_release_is_no_reason_for_a_first_one():
    assert first_release([release(state="retired")], PROFILE, "a test", NOW) == []


@pytest.mark.parametrize("rows", [[], [release(state="retired")], [release(profile="other")]], ids=["none", "retired", "another's"])
def test_a_profile_without_a_live_release_is_told_to_set_up(rows: list[dict]):
    with pytest.raises(ConfigurationError, match="set_up_lakehouse"):
        live_release(rows, "small")


def test_two_live_releases_are_named():
    with pytest.raises(ConfigurationError, match="small-r1, small-r2"):
        live_release([release(), release(release_id="small-r2")], "small")


def test_an_opened_and_closed_sync_moves_the_watermark():
    (opened,) = open_sync([release()], SYNC, NOW)
    assert (opened["versions_snapshot"], opened["open_syncs"]) == (1, ["s1"])
    (closed,) = close_sync([opened], SYNC, "00000000000000ff", NOW)
    assert (closed["versions_snapshot"], closed["open_syncs"], closed["record_count"]) == (2, [], 4)
    assert is_recorded([closed], SYNC)


def test_an_unrecorded_sync_is_covered_by_the_next():
    (opened,) = open_sync([release()], SYNC, NOW)
    (both,) = open_sync([opened], replace(SYNC, sync_id="s2", covers=["s1"]), NOW)
    assert both["open_syncs"] == ["s1", "s2"]


def test_a_sync_that_does_not_cover_an_open_one_may_not_begin():
    with pytest.raises(ConflictError, match="s0"):
        open_sync([release(open_syncs=["s0"])], SYNC, NOW)


def test_a_sync_may_not_begin_from_another_watermark():
    with pytest.raises(ConflictError, match="from 1 to 9"):
        open_sync([release(versions_snapshot=9)], SYNC, NOW)


@pytest.mark.parametrize(
    "row",
    [
        release(open_syncs=["s1", "s2"]),
        release(open_syncs=[]),
        release(open_syncs=["s1"], versions_snapshot=9),
        release(open_syncs=["s1"], state="retired"),
        release(open_syncs=["s1"], release_id="small-r9"),
    ],
    ids=["overtaken", "recorded", "moved", "retired", "gone"],
)
def test_a_sync_writes_and_records_only_while_it_is_the_last_one(row: dict):
    with pytest.raises(ConflictError):
        check_open([row], SYNC)
    with pytest.raises(ConflictError):
        close_sync([row], SYNC, "00000000000000ff", NOW)


def test_a_sync_travels_as_plain_values():
    assert Sync(**SYNC.as_keys()) == SYNC
