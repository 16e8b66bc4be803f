"""Moments of the lake that a person names: now, a snapshot, a time or a batch, as the snapshots of both tables that were main then.

The tables' own logs of what was main decide, so that a roll-back counts from when it happened.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.iceberg import head_snapshot, is_own_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.batches import PUBLISHED, BatchRow
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.core.times import snapshot_id, zoned_time
from embedding_lakehouse.errors import InputError, quoted

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of the lake: the snapshots of both tables, and how it was asked for.

    `at_milliseconds` is the time that was named, or when the snapshots that were named became current; None for now.
    """

    versions_snapshot: int
    embeddings_snapshot: int
    described: str
    at_milliseconds: int | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """What was main of a table and since when, in milliseconds, oldest first."""

    name: str
    entries: list[tuple[int, int]]

    @classmethod
    def of(cls, table: IcebergTable) -> "Timeline":
        """The log of the table. An entry whose snapshot has expired is left out."""
        log = [(entry.timestamp_ms, entry.snapshot_id) for entry in table.metadata.snapshot_log]
        return cls(".".join(table.name()), sorted(entry for entry in log if table.snapshot_by_id(entry[1])))

    def at(self, milliseconds: int) -> int | None:
        """The snapshot that was main then."""
        return next((snapshot for since, snapshot in reversed(self.entries) if since <= milliseconds), None)

    def since(self, snapshot: int) -> int | None:
        """When the snapshot last became main."""
        return next((since for since, known in reversed(self.entries) if known == snapshot), None)

    def until(self, snapshot: int) -> int:
        """The last millisecond in which the snapshot was main."""
        ends = [later - 1 for (_, known), (later, _) in pairwise(self.entries) if known == snapshot]
        is_main = self.entries[-1][1] == snapshot
        return _milliseconds(datetime.now(UTC)) if is_main else ends[-1]

    def described(self) -> str:
        """The latest entries, for an error that says what there is."""
        latest = (f"{snapshot} (since {_time(since)})" for since, snapshot in reversed(self.entries[-SHOWN:]))
        return f"the latest snapshots of {self.name} are {', '.join(latest)}"


def find_moment(lake: Lake, profile: str, as_of: str) -> Moment:
    """The moment that `as_of` names: empty for now, a snapshot id of either table, an ISO time with its zone, or a batch id.

    Raises InputError, which says what there is, for a moment that never was, has expired, or is not the profile's.
    """
    if not as_of:
        # The ledger is read first, since publishing moves the embeddings first.
        versions = head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id
        return Moment(versions, head_snapshot(lake.table(DOCUMENT_EMBEDDINGS)).snapshot_id, "now")
    versions, embeddings = (Timeline.of(lake.table(table)) for table in (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS))
    rows = journal(lake).rows()
    if batch := next((row for row in rows if row["batch_id"] == as_of), None):
        return _of_batch(lake, profile, batch, versions, embeddings)
    if (snapshot := snapshot_id(as_of)) is not None:
        return _of_snapshot(snapshot, versions, embeddings)
    return _of_time(profile, as_of, rows, versions, embeddings)


def _of_batch(lake: Lake, profile: str, batch: BatchRow, versions: Timeline, embeddings: Timeline) -> Moment:
    name = batch["batch_id"]
    if batch["profile"] != profile:
        raise InputError(f"the batch {name} belongs to profile {batch['profile']!r}, not to {quoted(profile)}")
    if batch["state"] != PUBLISHED:
        raise InputError(f"the batch {name} is {batch['state']}: only a published one was ever current")
    snapshot = batch.get("versions_snapshot") or _made_by(lake.table(DOCUMENT_VERSIONS), name)
    since = None if snapshot is None else versions.since(snapshot)
    if since is None:
        raise InputError(f"the state of the lake after batch {name} has expired; {versions.described()}")
    beside = batch.get("embeddings_snapshot")
    if beside is None or embeddings.since(beside) is None:
        beside = embeddings.at(since)
    return _moment(snapshot, beside, f"batch {name}", since, embeddings)


def _made_by(table: IcebergTable, batch_id: str) -> int | None:
    found = [one for one in table.snapshots() if is_own_snapshot(one, batch_id)]
    return found[-1].snapshot_id if found else None


def _of_snapshot(snapshot: int, versions: Timeline, embeddings: Timeline) -> Moment:
    described = f"snapshot {snapshot}"
    if (since := versions.since(snapshot)) is not None:
        return _moment(snapshot, embeddings.at(since), described, since, embeddings)
    if embeddings.since(snapshot) is not None:
        until = embeddings.until(snapshot)
        return _moment(versions.at(until), snapshot, described, until, versions)
    raise InputError(
        f"there is no snapshot {snapshot} that was ever current, or it has expired; {versions.described()}; {embeddings.described()}"
    )


def _of_time(profile: str, as_of: str, rows: list[BatchRow], versions: Timeline, embeddings: Timeline) -> Moment:
    moment = zoned_time(
        as_of,
        f"{quoted(as_of)} is no snapshot id, no batch of {profile!r} and no time such as 2026-01-31T12:00:00+00:00; {versions.described()}",
        f"the time {quoted(as_of)} has no zone: write +00:00 behind it for UTC, for example",
    )
    by_then = [row for row in rows if row["profile"] == profile and row.get("published_at") and row["published_at"] <= moment]
    latest = max(by_then, key=lambda row: row["published_at"], default=None)
    # The log loses the entries of expired snapshots, and would answer with the state before them.
    if latest and latest["state"] == PUBLISHED and latest["versions_snapshot"] and versions.since(latest["versions_snapshot"]) is None:
        raise InputError(
            f"the state of the lake at {moment.isoformat()}, after batch {latest['batch_id']}, has expired; {versions.described()}"
        )
    then = _milliseconds(moment)
    return _moment(versions.at(then), embeddings.at(then), moment.isoformat(), then, versions)


def _moment(versions: int | None, embeddings: int | None, described: str, at: int, timeline: Timeline) -> Moment:
    if versions is None or embeddings is None:
        raise InputError(f"nothing is left of the lake as of {described}; {timeline.described()}")
    return Moment(versions, embeddings, described, at)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
