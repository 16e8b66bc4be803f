"""Which batches are rejected while which roll-backs are in force, and what names a moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedding_lakehouse.core.roll_backs import RollBack, moment_of, rejected_batches, turned, undone_alone, undone_since
from embedding_lakehouse.errors import InputError, NothingToDo

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def batch(number: int, state: str = "published", undone: list[str] | None = None, profile: str = "small") -> dict[str, Any]:
    return {
        "batch_id": f"b{number}",
        "batch_number": number,
        "profile": profile,
        "state": state,
        "kind": "roll_back" if undone else None,
        "undone_batches": undone,
        "versions_snapshot": 100 + number,
        "embeddings_snapshot": 200 + number,
        "published_at": START + timedelta(hours=number),
        "updated_at": START + timedelta(days=1),
        "message": "because",
    }


ROWS = [batch(1), batch(2, "rejected"), batch(3, "rejected"), batch(4, undone=["b2", "b3"]), batch(5)]


def test_what_a_roll_back_in_force_names_is_rejected():
    assert rejected_batches(ROWS) == {"b2", "b3"}


def test_a_roll_back_that_a_later_one_names_is_not_in_force():
    assert rejected_batches([*ROWS, batch(6, undone=["b4"])]) == {"b4"}


def test_a_roll_back_is_in_force_again_once_its_own_undoing_is_undone():
    assert rejected_batches([*ROWS, batch(6, undone=["b4"]), batch(7, undone=["b6"])]) == {"b2", "b3", "b6"}


def test_going_back_undoes_all_that_came_later_whatever_its_state():
    assert undone_since(ROWS, "small", batch(1)) == ["b2", "b3", "b4", "b5"]


def test_only_states_that_change_are_written():
    changed = turned(ROWS, batch(6, undone=["b2", "b4"]), START)
    assert {row["batch_id"]: row["state"] for row in changed} == {"b3": "published", "b4": "rejected"}
    assert all("b6" in row["message"] for row in changed)


def test_the_newest_batch_is_no_way_back():
    with pytest.raises(NothingToDo):
        undone_since(ROWS, "small", batch(5))


def test_an_open_and_another_profile_s_batch_cannot_be_undone():
    rows = [*ROWS, batch(6, "priced"), batch(7, profile="other")]
    with pytest.raises(InputError, match="never published"):
        undone_alone(rows, "small", "b6")
    with pytest.raises(InputError, match="no moment of profile 'small'"):
        undone_alone(rows, "small", "b7")


@pytest.mark.parametrize("name", ["b3", "103", "203", "2026-01-31T15:30:00+00:00", "2026-01-31T16:30:00+01:00"])
def test_a_batch_a_snapshot_and_a_time_name_the_same_moment(name: str):
    moment = moment_of(ROWS, "small", name)
    assert moment and moment["batch_id"] == "b3"


def test_an_error_names_the_latest_batches():
    with pytest.raises(InputError, match=r"b1 \(published 2026-01-31 13:00:00\), b2 \(rejected"):
        moment_of(ROWS, "small", "1999-01-31T15:30:00+00:00")


def test_a_plan_travels_as_plain_values():
    plan = RollBack("b9", "small", "why", ["b1"], ["b1"], ["b1"], "b5", 1, 2, 3, 4, 5, 6, 7)
    assert RollBack.of_keys(plan.as_keys()) == plan
    assert "3 documents get another version, 4 are removed, 5 chunks change" in plan.as_keys()["description"]
