"""By which batches a release is behind, and when that is not known."""

from typing import Any

import pytest

from embedding_lakehouse.core.batches import OPEN_STATES, ROLL_BACK, BatchRow
from embedding_lakehouse.core.syncs import batches_to_follow


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
