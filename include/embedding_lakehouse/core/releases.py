"""Releases of the index, and the rules by which a sync may write to one and move its watermark."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError, ConflictError

LIVE = "live"

ReleaseRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IndexShape:
    """An index by its name, with the shape that it must have."""

    name: str
    dimension: int
    metric: str

    @classmethod
    def of_profile(cls, profile: Profile) -> "IndexShape":
        """The index that the profile declares."""
        return cls(profile.index.name, profile.dimensions, profile.index.metric)

    @classmethod
    def of_release(cls, row: ReleaseRow) -> "IndexShape":
        """The index that holds the release, whatever the profile declares by now."""
        return cls(row["index_name"], row["dimension"], row["metric"])


@dataclass(frozen=True, slots=True)
class Sync:
    """A planned sync: which states of the lake it leads between, and where. It travels between tasks as a dict.

    `covers` are the earlier syncs that were never recorded: what they may have left in the index is part of this one's changes.
    """

    sync_id: str
    profile: str
    release_id: str
    index_name: str
    dimension: int
    metric: str
    namespace: str
    versions_before: int | None
    versions_after: int
    embeddings_after: int
    covers: list[str]
    document_count: int
    record_count: int
    dag_id: str
    run_id: str
    started_at: str

    @property
    def index(self) -> IndexShape:
        """The index that the sync writes to."""
        return IndexShape(self.index_name, self.dimension, self.metric)

    def as_keys(self) -> dict[str, Any]:
        """The sync as XCom carries it."""
        return asdict(self)


def live_release(rows: list[ReleaseRow], profile: str) -> ReleaseRow:
    """The profile's live release. Raises ConfigurationError where there is none, or more than one."""
    live = [row for row in rows if row["profile"] == profile and row["state"] == LIVE]
    if not live:
        raise ConfigurationError(f"profile {profile!r} has no live release of an index: run the DAG set_up_lakehouse first")
    if len(live) > 1:
        names = ", ".join(row["release_id"] for row in live)
        raise ConfigurationError(f"profile {profile!r} has {len(live)} live releases ({names}): set all but one to retired")
    return live[0]


def first_release(rows: list[ReleaseRow], profile: Profile, created_by: str, moment: datetime) -> list[ReleaseRow]:
    """The empty live release that a profile begins with; nothing where the profile has had one."""
    if any(row["profile"] == profile.name for row in rows):
        return []
    name = f"{profile.name}-r1"
    return [
        {
            "release_id": name,
            "profile": profile.name,
            "index_name": profile.index.name,
            "namespace": name,
            "state": LIVE,
            "dimension": profile.dimensions,
            "metric": profile.index.metric,
            "embeddings_snapshot": None,
            "versions_snapshot": None,
            "record_count": 0,
            "open_syncs": [],
            "created_by": created_by,
            "reason": "the profile's first release",
            "created_at": moment,
            "updated_at": moment,
        }
    ]


def open_sync(rows: list[ReleaseRow], sync: Sync, moment: datetime) -> list[ReleaseRow]:
    """The release's row with the sync noted as one that may write. Raises ConflictError where another came first."""
    row = _row(rows, sync)
    _check(row, sync, expected=sync.covers)
    return [row | {"open_syncs": [*sync.covers, sync.sync_id], "updated_at": moment}]


def check_open(rows: list[ReleaseRow], sync: Sync) -> None:
    """Raise ConflictError unless the sync is still the last one that may write to its release."""
    _check(_row(rows, sync), sync, expected=[*sync.covers, sync.sync_id])


def is_recorded(rows: list[ReleaseRow], sync: Sync) -> bool:
    """Whether the release stands where the sync leads and owes nothing more."""
    row = _row(rows, sync)
    return row["versions_snapshot"] == sync.versions_after and not row["open_syncs"]


def close_sync(rows: list[ReleaseRow], sync: Sync, moment: datetime) -> list[ReleaseRow]:
    """The release's row with the watermark where the sync leads. Raises ConflictError where another sync moved it or came later."""
    check_open(rows, sync)
    moved = {
        "embeddings_snapshot": sync.embeddings_after,
        "versions_snapshot": sync.versions_after,
        "record_count": sync.record_count,
        "open_syncs": [],
        "updated_at": moment,
    }
    return [_row(rows, sync) | moved]


def _row(rows: list[ReleaseRow], sync: Sync) -> ReleaseRow:
    for row in rows:
        if row["release_id"] == sync.release_id:
            return row
    raise ConflictError(f"the release {sync.release_id} is gone since the sync {sync.sync_id} was planned: run sync_index again")


def _check(row: ReleaseRow, sync: Sync, expected: list[str]) -> None:
    for reason in _differences(row, sync, expected):
        raise ConflictError(
            f"{reason} while the sync {sync.sync_id} of release {sync.release_id} was at work: its watermark stays, nothing is lost; "
            "run sync_index again, which makes good for what this one wrote"
        )


def _differences(row: ReleaseRow, sync: Sync, expected: list[str]) -> Iterator[str]:
    if row["state"] != LIVE:
        yield f"the release became {row['state']}"
    if row["versions_snapshot"] != sync.versions_before:
        yield f"another sync moved the watermark from {sync.versions_before} to {row['versions_snapshot']}"
    if list(row["open_syncs"] or []) != expected:
        yield f"another sync was planned ({', '.join(row['open_syncs'] or []) or 'and recorded'})"
