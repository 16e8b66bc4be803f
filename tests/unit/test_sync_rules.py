"""By which batches a release is behind, and when that is not known; what becomes of a sync whose state expired."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from embedding_lakehouse.core.batches import OPEN_STATES, ROLL_BACK, BatchRow
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.core.syncs import Sync, batches_to_follow, expired, reopen_sync

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def batch(number: int, state: str = "published", profile: str = "docs", **values: Any) -> BatchRow:
    return {"batch_id": f"b{number}", "batch_number": number, "profile": profile, "state": state, "kind": None} | values


def test_the_profile_s_own_batches_are_followed_in_their_order() -> None:
    rows = [batch(4), batch(1), batch(3, profile="other"), batch(2)]
    assert batches_to_follow(rows, "docs", {"b4", "b3", "b2"}) == ["b2", "b4"]


def test_batches_of_other_profiles_are_nothing_to_follow() -> None:
    assert batches_to_follow([batch(1), batch(2, profile="other")], "docs", {"b2"}) == []
    assert batches_to_follow([batch(1)], "docs", set()) == []


def test_a_batch_that_nobody_knows_is_not_followed() -> None:
    assert batches_to_follow([batch(1)], "docs", {"b1", "by hand"}) is None


def test_a_batch_is_followed_before_it_is_noted_as_published() -> None:
    assert batches_to_follow([batch(1), batch(2, "committed")], "docs", {"b2"}) == ["b2"]


@pytest.mark.parametrize("state", [*OPEN_STATES, "discarded"])
def test_a_batch_without_rows_does_not_matter(state: str) -> None:
    assert batches_to_follow([batch(1), batch(2), batch(3, state)], "docs", {"b2"}) == ["b2"]


@pytest.mark.parametrize("state", ["planned", "published", "rejected"])
def test_a_roll_back_changes_more_than_its_rows(state: str) -> None:
    roll_back = batch(3, state, kind=ROLL_BACK)
    assert batches_to_follow([batch(1), batch(2), roll_back], "docs", {"b2"}) is None
    assert batches_to_follow([batch(1), batch(2), roll_back], "docs", {"b2", "b3"}) is None
    assert batches_to_follow([batch(1), batch(2), roll_back | {"profile": "other"}], "docs", {"b2", "b3"}) == ["b2"]


def test_a_roll_back_that_the_release_has_followed_does_not_matter() -> None:
    assert batches_to_follow([batch(1, "rejected"), batch(2, kind=ROLL_BACK), batch(3)], "docs", {"b3"}) == ["b3"]


@pytest.mark.parametrize("later", [batch(3), batch(3, "rejected")])
def test_a_batch_of_this_time_that_was_not_added_is_not_understood(later: BatchRow) -> None:
    assert batches_to_follow([batch(1), batch(2), later], "docs", {"b2"}) is None


def test_a_rejected_batch_is_not_followed() -> None:
    assert batches_to_follow([batch(1), batch(2, "rejected"), batch(3)], "docs", {"b2", "b3"}) is None


def recorded(**values: Any) -> ReleaseRow:
    return {"release_id": "r1", "state": "live", "is_pinned": False} | values


BEFORE = recorded(versions_snapshot=1, embeddings_snapshot=2, record_count=5, id_checksum="before", open_syncs=["s0", "s1"])
SYNC = Sync("s1", "docs", "r1", "docs", 8, "cosine", "r1", 1, 3, 4, ["s0"], 1, 6, "sync_index", "a run", "2026-03-01T00:00:00+00:00")


def test_a_recording_that_is_taken_back_leaves_the_release_as_it_was() -> None:
    after = BEFORE | {"versions_snapshot": 3, "embeddings_snapshot": 4, "record_count": 6, "id_checksum": "after", "open_syncs": []}
    (row,) = reopen_sync([after], SYNC, BEFORE, NOW)
    assert row == BEFORE | {"updated_at": NOW}


@pytest.mark.parametrize("elsewhere", [{"versions_snapshot": 7}, {"open_syncs": ["s2"]}])
def test_a_release_that_went_on_since_is_not_taken_back(elsewhere: dict[str, Any]) -> None:
    assert reopen_sync([BEFORE | {"versions_snapshot": 3, "open_syncs": []} | elsewhere], SYNC, BEFORE, NOW) == []


@pytest.mark.parametrize(
    ("dag_id", "versions_before", "way_on"),
    [
        ("sync_index", 1, "run sync_index again"),
        ("rebuild_index", 1, "run rebuild_index again"),
        ("rebuild_index", None, "run rebuild_index with discard_building"),
    ],
)
def test_what_is_said_of_an_expired_state_names_the_dag_that_makes_good(dag_id: str, versions_before: int | None, way_on: str) -> None:
    assert way_on in str(expired(replace(SYNC, dag_id=dag_id, versions_before=versions_before)))
