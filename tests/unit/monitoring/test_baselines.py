"""With which state a run compares, and since when a drift lasts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from embedding_lakehouse.core.drift_baselines import Baseline, series, since, watched_baseline

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def batch(number: int, state: str = "published", **more: Any) -> dict[str, Any]:
    """A batch that was published on the day of its number."""
    return {"batch_id": f"b{number}", "batch_number": number, "profile": "p", "state": state, "published_at": day(number), **more}


def row(number: int, causes: tuple[str, ...] = (), baseline: int = 0, accepted: str | None = None, is_watch: bool = True) -> dict[str, Any]:
    """A verdict over a batch, of the day after it."""
    return {
        "batch_id": f"b{number}",
        "batch_number": number,
        "is_drift": bool(causes),
        "causes": list(causes),
        "baseline_batch_number": baseline or number - 1,
        "baseline_kind": "batch",
        "baseline_id": f"b{baseline or number - 1}",
        "accepted_reason": accepted,
        "is_watch": is_watch,
        "measured_at": day(number + 0.5),
    }


def chosen(rows: list[dict], verdicts: list[dict], current: dict, is_daily: bool = False, at: float = 0) -> int:
    """The number of the batch that is compared with; 0 for none."""
    return watched_baseline(rows, verdicts, current, is_daily, day(at or current["batch_number"] + 1)).batch_number


def test_a_run_after_a_publish_compares_with_the_batch_before() -> None:
    rows = [batch(1), batch(2), batch(3, state="rejected"), batch(4), batch(5) | {"profile": "another"}]
    assert watched_baseline(rows, [], rows[3], False, day(5)) == Baseline("batch", "b2", 2, "p", is_watch=True)


def test_a_first_batch_is_compared_with_nothing() -> None:
    assert watched_baseline([batch(1)], [], batch(1), False, day(2)).kind == "none"


def test_a_backlog_is_compared_once_it_is_embedded() -> None:
    rows = [batch(1, documents_remaining=500), batch(2, documents_remaining=250), batch(3, documents_remaining=0), batch(4)]
    assert [chosen(rows[: last + 1], [], rows[last]) for last in range(4)] == [0, 0, 0, 3]


def test_a_daily_run_compares_with_the_state_of_a_week_ago() -> None:
    rows = [batch(number) for number in range(1, 13)]
    assert chosen(rows, [], rows[-1], is_daily=True, at=12) == 5
    assert chosen(rows, [], rows[-1], is_daily=True, at=11.99) == 4


def test_a_daily_run_over_a_younger_lake_compares_with_its_first_state() -> None:
    rows = [batch(1), batch(2), batch(3)]
    assert chosen(rows, [], rows[-1], is_daily=True, at=4) == 1


def test_a_daily_run_without_a_batch_in_the_week_compares_the_state_with_itself() -> None:
    assert chosen([batch(1), batch(2)], [], batch(2), is_daily=True, at=30) == 2


def test_while_drift_lasts_the_state_before_it_stays_the_baseline() -> None:
    rows = [batch(number) for number in range(1, 6)]
    drifting = [row(3), row(4, ("source",))]
    assert chosen(rows, drifting, rows[4]) == 3
    assert chosen(rows, drifting, rows[4], is_daily=True) == 3
    assert chosen(rows, [*drifting, row(5)], rows[4]) == 4


def test_an_index_fault_leaves_the_baseline_free() -> None:
    rows = [batch(number) for number in range(1, 6)]
    assert chosen(rows, [row(4, ("index",), baseline=2)], rows[4]) == 4


def test_a_state_before_the_drift_that_was_rolled_back_is_no_baseline() -> None:
    rows = [batch(1), batch(2, state="rejected"), batch(3), batch(4)]
    assert chosen(rows, [row(3, ("source",), baseline=2)], rows[3]) == 3


def test_what_somebody_asked_for_holds_nothing() -> None:
    rows = [batch(number) for number in range(1, 6)]
    assert chosen(rows, [row(4, ("source",), baseline=1, is_watch=False)], rows[4]) == 4


def test_no_state_before_an_accepted_one_is_compared_with() -> None:
    rows = [batch(number) for number in range(1, 6)]
    accepted = [row(3, ("source",)), row(4, ("source",), baseline=2, accepted="meant")]
    assert chosen(rows[:4], accepted, rows[3]) == 4
    assert chosen(rows, accepted, rows[4]) == 4
    assert chosen(rows, accepted, rows[4], is_daily=True, at=30) == 5


def test_drift_is_since_the_first_verdict_of_the_unbroken_series_with_its_cause() -> None:
    earlier = [row(1, ("source",)), row(2), row(3, ("source",)), row(4, ("provider", "source"))]
    assert since(earlier, "source", "b5", day(5)) == ("b3", day(3.5))
    assert since(earlier, "provider", "b5", day(5)) == ("b4", day(4.5))
    assert since(earlier, "model", "b5", day(5)) == ("b5", day(5))
    assert since([*earlier, row(5, ("source",), accepted="meant")], "source", "b6", day(6)) == ("b6", day(6))


def test_verdicts_that_were_asked_for_follow_each_other_by_their_baseline() -> None:
    asked = [row(3, is_watch=False), row(2, is_watch=False), row(4, baseline=1, is_watch=False)]
    assert [each["batch_number"] for each in series([*asked, row(5)], False, "batch", "b1")] == [2, 4]
    assert [each["batch_number"] for each in series([*asked, row(5)], True)] == [5]
