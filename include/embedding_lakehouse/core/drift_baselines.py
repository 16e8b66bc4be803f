"""With which state a run compares, and which verdicts follow each other. Pure rules."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from embedding_lakehouse.core.batches import PUBLISHED, BatchRow
from embedding_lakehouse.core.drift_measures import INDEX

BATCH, TIME, RELEASE, NONE = "batch", "time", "release", "none"
# What a daily run compares with is a week old, so that a drift too slow for any two batches shows.
SLOW = timedelta(days=7)

VerdictRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a run compares with: a batch of the profile, or `none`; and whether the rule of scheduled runs chose it (`is_watch`)."""

    kind: str
    name: str = ""
    batch_number: int = 0
    profile: str = ""
    is_watch: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two states of the lake that a run compares, on pinned snapshots, with what was counted. It travels between tasks as a dict."""

    monitor_id: str
    profile: str
    model_version: str
    dimensions: int
    batch_id: str
    batch_number: int
    baseline_kind: str
    baseline_id: str
    baseline_profile: str
    baseline_number: int
    is_watch: bool
    is_comparable: bool
    versions_snapshot: int
    embeddings_snapshot: int
    counts: dict[str, int]
    accepted_reason: str = ""
    sample_id: str = ""
    sampled: dict[str, int] | None = None

    @property
    def has_baseline(self) -> bool:
        return self.baseline_kind != NONE

    @property
    def described(self) -> str:
        """The baseline, in words."""
        return f"{self.baseline_kind} {self.baseline_id}" if self.has_baseline else "nothing, since there is no complete batch before"

    def as_keys(self) -> dict[str, Any]:
        """The comparison as XCom carries it."""
        return asdict(self)


def complete_batches(rows: Iterable[BatchRow], profile: str) -> list[BatchRow]:
    """The profile's published batches after which nothing of the source remained, by their numbers.

    The batches of a backlog follow the ids of the documents: each has other folders, which is no drift.
    """
    published = [row for row in rows if row["profile"] == profile and row["state"] == PUBLISHED and not row.get("documents_remaining")]
    return sorted(published, key=lambda row: row["batch_number"])


def watched_baseline(rows: list[BatchRow], verdicts: list[VerdictRow], current: BatchRow, is_daily: bool, now: datetime) -> Baseline:
    """What a scheduled run compares with: the batch before, or daily the state of a week ago.

    While drift lasts, it stays the state before the drift, so that the next batch does not hide it. A state that somebody accepted is the
    earliest with which is compared.
    """
    complete = [row for row in complete_batches(rows, current["profile"]) if row["batch_number"] <= current["batch_number"]]
    if current not in complete:
        return Baseline(NONE)
    watched = series(verdicts, is_watch=True)
    accepted = max((row["batch_number"] for row in watched if row["accepted_reason"]), default=0)
    chosen = _held(complete, watched) or (_week_ago(complete, now) if is_daily else _before(complete, current))
    if accepted and (chosen is None or chosen["batch_number"] < accepted):
        chosen = next((row for row in complete if row["batch_number"] >= accepted), None)
    if chosen is None:
        return Baseline(NONE)
    return Baseline(BATCH, chosen["batch_id"], chosen["batch_number"], current["profile"])


def _held(complete: list[BatchRow], watched: list[VerdictRow]) -> BatchRow | None:
    """The batch before a drift that lasts. The index is measured by itself and needs none."""
    if not watched or not is_drifting(watched[-1]) or set(watched[-1]["causes"]) <= {INDEX}:
        return None
    return next((row for row in complete if row["batch_number"] == watched[-1]["baseline_batch_number"]), None)


def _before(complete: list[BatchRow], current: BatchRow) -> BatchRow | None:
    return max((row for row in complete if row != current), key=lambda row: row["batch_number"], default=None)


def _week_ago(complete: list[BatchRow], now: datetime) -> BatchRow | None:
    by_then = [row for row in complete if (row.get("published_at") or row["updated_at"]) <= now - SLOW]
    return by_then[-1] if by_then else next(iter(complete), None)


def series(verdicts: list[VerdictRow], is_watch: bool, kind: str = "", name: str = "") -> list[VerdictRow]:
    """The verdicts that follow each other: all of the scheduled runs, or those that somebody asked for with the same baseline."""
    chosen = [row for row in verdicts if bool(row["is_watch"]) == is_watch]
    if not is_watch:
        chosen = [row for row in chosen if (row["baseline_kind"], row["baseline_id"]) == (kind, name)]
    return sorted(chosen, key=lambda row: row["measured_at"])


def is_drifting(row: VerdictRow) -> bool:
    """Whether the verdict leaves a drift that nobody accepted."""
    return bool(row["is_drift"]) and not row["accepted_reason"]


def since(earlier: list[VerdictRow], cause: str, batch_id: str, now: datetime) -> tuple[str, datetime]:
    """The batch and the time of the first verdict of the unbroken series with that cause, of which this run is the last."""
    first = batch_id, now
    for row in reversed(earlier):
        if not is_drifting(row) or cause not in row["causes"]:
            break
        first = row["batch_id"], row["measured_at"]
    return first
