"""What a rebuild costs, whether it may go on with what was left, and how its checks count."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.rebuilds import (
    Measured,
    check_resumable,
    differences,
    estimate,
    probe_count,
    recall,
    unswitched,
)
from embedding_lakehouse.core.releases import expired, forgotten, new_release, release_before
from embedding_lakehouse.errors import ConflictError, InputError

NOW = datetime(2026, 1, 31, tzinfo=UTC)
PROFILE = Profile("small", "wordllama", "m", "small-v1", 8)


def release(**changes: Any) -> dict[str, Any]:
    return new_release([], PROFILE, "a test", "why", NOW) | {"method": "upserts", "keep_until": None, **changes}


@pytest.mark.parametrize(
    ("expected", "found", "wrong"),
    [
        ([], [], []),
        (["a", "b"], ["a", "b"], []),
        (["a", "b"], [], [("missing", "a"), ("missing", "b")]),
        ([], ["a"], [("foreign", "a")]),
        (["a", "c"], ["b", "c", "d"], [("missing", "a"), ("foreign", "b"), ("foreign", "d")]),
    ],
)
def test_two_rising_sequences_differ_in_what_only_one_has(expected: list, found: list, wrong: list):
    assert list(differences(iter(expected), iter(found))) == wrong


def test_an_estimate_follows_what_was_measured():
    assert estimate(PROFILE, 10_000, Measured(1_000, 2_000_000, 4.0)) == (20_000_000, 10, 40.0)


def test_without_a_measured_sync_no_time_is_promised():
    size, requests, seconds = estimate(PROFILE, 10_000, Measured(0, 0, 0.0))
    assert (size > 0, requests > 0, seconds) == (True, True, None)


def test_neighbours_that_tie_with_the_tenth_are_right():
    exact = {"a": {f"{number}" for number in range(12)}}
    assert recall(exact, {"a": [f"{number}" for number in range(2, 12)]}, 100) == 1.0


def test_recall_is_the_share_of_the_nearest_that_were_answered():
    exact = {"a": {f"{number}" for number in range(10)}, "b": {f"{number}" for number in range(10)}}
    answered = {"a": [f"{number}" for number in range(10)], "b": [f"{number}" for number in range(5)]}
    assert recall(exact, answered, 100) == 0.75


def test_a_small_release_has_fewer_than_ten_neighbours():
    assert recall({"a": {"a", "b"}}, {"a": ["a", "b"]}, 2) == 1.0


@pytest.mark.parametrize(("records", "dimensions", "probes"), [(3, 8, 3), (1_000, 256, 50), (8_000_000, 1_024, 5)])
def test_fewer_probes_are_asked_where_their_neighbours_cost_more(records: int, dimensions: int, probes: int):
    assert probe_count(records, dimensions) == probes


def test_a_release_that_follows_the_lake_is_gone_on_with_wherever_the_lake_is():
    check_resumable(release(), False, versions_snapshot=9, built_from=1, method="auto")


@pytest.mark.parametrize(
    ("row", "is_pinned", "built_from", "method"),
    [
        (release(), True, 1, "auto"),
        (release(is_pinned=True), False, 9, "auto"),
        (release(is_pinned=True), True, 1, "auto"),
        (release(), False, 9, "import"),
    ],
    ids=["follows", "is pinned", "pinned elsewhere", "another method"],
)
def test_a_release_of_another_kind_is_not_gone_on_with(row: dict, is_pinned: bool, built_from: int, method: str):
    with pytest.raises(ConflictError, match="discard_building"):
        check_resumable(row, is_pinned, versions_snapshot=9, built_from=built_from, method=method)


def test_only_what_was_begun_and_never_live_is_unswitched():
    rows = [release(state="live"), release(release_id="small-r2", state="verified"), release(state="dropped")]
    assert unswitched(rows, "small") == rows[1]
    assert unswitched(rows, "other") is None


def test_a_kept_release_expires_when_its_time_is_over():
    kept, over = NOW + timedelta(days=1), NOW - timedelta(days=1)
    rows = [release(state="retired", keep_until=kept), release(state="retired", keep_until=over), release(state="building")]
    assert expired(rows, None, NOW) == [rows[1]]
    assert expired(rows, "other", NOW) == []


def test_a_dropped_release_is_expired_until_its_namespace_is_gone():
    (row,) = expired([release(state="dropped", keep_until=NOW)], "small", NOW)
    (row,) = forgotten([row], row["release_id"], NOW)
    assert expired([row], "small", NOW) == []


def test_the_release_before_is_the_one_that_was_retired_last():
    rows = [release(state="retired", release_id=f"small-r{day}", updated_at=NOW + timedelta(days=day)) for day in (1, 3, 2)]
    assert release_before(rows, "small")["release_id"] == "small-r3"
    with pytest.raises(InputError, match="keeps no release"):
        release_before(rows, "other")
