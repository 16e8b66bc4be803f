"""What the charts draw: series over time, and the table that says the same in words."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from embedding_lakehouse.page.rows import Comparison, Measure


@dataclass(frozen=True, slots=True)
class Chart:
    """One line over time with an optional limit, and what it is about."""

    title: str
    cause: str | None
    times: list[datetime]
    values: list[float | None]
    limit: float | None
    exceeded: list[bool]
    details: list[str | None]
    unit: str = "drift"

    @property
    def is_exceeded(self) -> bool:
        """Whether the newest value is beyond the limit."""
        return bool(self.exceeded and self.exceeded[-1])

    @property
    def alarm(self) -> str:
        """What is wrong with the newest value where it is exceeded."""
        return "not equal" if self.limit is None else "beyond its limit"

    @property
    def drawn(self) -> dict[str, Any]:
        """What the script draws."""
        times = [round(time.timestamp()) for time in self.times]
        return {
            "label": self.unit,
            "times": times,
            "values": [_drawable(value) for value in self.values],
            "limit": self.limit,
            "exceeded": self.exceeded,
        }


def _drawable(value: float | None) -> float | None:
    """JSON has no word for NaN and infinity."""
    return value if value is not None and isfinite(value) else None


def drift_charts(measures: Iterable[Measure]) -> list[Chart]:
    """A chart for each measure, those that are exceeded now first, then by cause and name. Measures come in the order of time."""
    found: dict[str, list[Measure]] = defaultdict(list)
    for measure in measures:
        found[measure.measure].append(measure)
    charts = [_chart(name, rows) for name, rows in found.items()]
    return sorted(charts, key=lambda chart: (not chart.is_exceeded, chart.limit is None, chart.cause or "~", chart.title))


def _chart(name: str, rows: list[Measure]) -> Chart:
    # A measure without a comparison, in a first measurement say, is drawn by what it is.
    is_drift = any(row.drift is not None for row in rows)
    return Chart(
        title=name,
        cause=rows[-1].cause,
        times=[row.measured_at for row in rows],
        values=[row.drift if is_drift else row.current_value for row in rows],
        limit=rows[-1].threshold,
        exceeded=[bool(row.is_exceeded) for row in rows],
        details=[row.detail for row in rows],
        unit="drift" if is_drift else "value",
    )


def fidelity_chart(comparisons: Iterable[Comparison]) -> Chart | None:
    """How far the index was equal to the record at each comparison; None where it was never compared. The newest comes first."""
    rows = [row for row in reversed(list(comparisons)) if row.compared_at and row.fidelity is not None]
    if not rows:
        return None
    return Chart(
        title="index fidelity",
        cause="index",
        times=[row.compared_at for row in rows if row.compared_at],
        values=[row.fidelity for row in rows],
        limit=None,
        exceeded=[row.fidelity is not None and row.fidelity < 1 for row in rows],
        details=[_difference(row) for row in rows],
        unit="fidelity",
    )


def _difference(row: Comparison) -> str:
    counts = {"missing": row.missing_count, "orphaned": row.orphaned_count, "stale": row.stale_count, "foreign": row.wrong_profile_count}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "equal"
