"""When an alarm is raised, when it is raised again, and what it says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from embedding_lakehouse.core.alarms import TO_DO, is_low, is_repeat, unrepaired_since
from embedding_lakehouse.core.canaries import CANARIES, cosines
from embedding_lakehouse.core.drift import CAUSES
from embedding_lakehouse.errors import AlarmRaised
from embedding_lakehouse.task_errors import FINAL

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SINCE = datetime(2026, 1, 30, 2, tzinfo=UTC)


def alert(raised_at: datetime, kind: str = "drift", profile: str = "p", since_at: datetime | None = SINCE) -> dict[str, Any]:
    return {"kind": kind, "profile": profile, "since_at": since_at, "raised_at": raised_at}


def compared(hours: int, fidelity: float, repair: str | None = None) -> dict[str, Any]:
    """A comparison with the record so many hours ago."""
    return {"finished_at": NOW - timedelta(hours=hours), "fidelity": fidelity, "repair_sync_id": repair}


def test_the_message_says_what_since_when_how_bad_and_what_to_do() -> None:
    error = AlarmRaised("low_fidelity", "docs", "c-7", SINCE, "98% of the index equals the record", "run reconcile_index")
    assert str(error) == (
        "low fidelity of profile 'docs' since 2026-01-30 02:00 UTC (c-7): 98% of the index equals the record. "
        "What to do: run reconcile_index"
    )
    assert (error.kind, error.profile, error.subject, error.since_at) == ("low_fidelity", "docs", "c-7", SINCE)
    assert (error.summary, error.action) == ("98% of the index equals the record", "run reconcile_index")


def test_an_alarm_fails_its_task_at_once() -> None:
    assert AlarmRaised in FINAL


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_has_something_to_do(cause: str) -> None:
    assert TO_DO[cause]


def test_an_alarm_is_repeated_after_a_day_and_not_before() -> None:
    assert is_repeat([alert(NOW - timedelta(hours=23, minutes=59))], "drift", "p", SINCE, NOW)
    assert not is_repeat([alert(NOW - timedelta(days=1))], "drift", "p", SINCE, NOW)


@pytest.mark.parametrize("other", [{"kind": "low_fidelity"}, {"profile": "q"}, {"since_at": NOW}])
def test_another_alarm_is_raised_at_once(other: dict[str, Any]) -> None:
    assert not is_repeat([alert(NOW, **other)], "drift", "p", SINCE, NOW)


def test_the_limit_of_fidelity_itself_is_enough() -> None:
    assert not is_low(compared(1, 0.999), set())
    assert is_low(compared(1, 0.9989), set())


def test_a_repair_that_was_applied_ends_the_shortfall() -> None:
    assert is_low(compared(1, 0.5, "sync"), set())
    assert not is_low(compared(1, 0.5, "sync"), {"sync"})


def test_the_shortfall_is_since_the_first_of_an_unbroken_series() -> None:
    rows = [compared(50, 0.9), compared(40, 1.0), compared(30, 0.98), compared(20, 0.97)]
    assert unrepaired_since(rows, set()) == NOW - timedelta(hours=30)
    assert unrepaired_since([*rows, compared(10, 1.0)], set()) is None
    assert unrepaired_since([], set()) is None


def test_there_are_canaries_of_a_dozen_kinds_and_each_once() -> None:
    assert len(CANARIES) >= 12
    assert all(text.strip() for text in CANARIES.values())


def test_a_canary_of_another_length_or_without_a_direction_agrees_with_nothing() -> None:
    one = np.array([[3.0, 4.0]], np.float32)
    assert cosines(one, 2 * one) == pytest.approx([1.0])
    assert cosines(one, np.array([[4.0, -3.0]], np.float32)) == pytest.approx([0.0])
    assert cosines(one, np.zeros((1, 2), np.float32)) == [0.0]
    assert cosines(one, np.ones((1, 3), np.float32)) == [0.0]
