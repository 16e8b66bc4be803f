"""What a roll-back undoes, and which batches are rejected while it is in force.

A roll-back is a batch of its own: it marks others as rejected and puts the versions that count again into the ledger. So nothing is
taken from the history, and undoing it is one more roll-back.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from embedding_lakehouse.core.batches import PUBLISHED, REJECTED, ROLL_BACK, BatchRow, open_batch
from embedding_lakehouse.core.texts import code
from embedding_lakehouse.core.times import snapshot_id, zoned_time
from embedding_lakehouse.errors import ConflictError, InputError, NothingToDo, quoted

FINISHED = (PUBLISHED, REJECTED)
SHOWN_BATCHES = 5
SHOWN_UNDONE = 10


@dataclass(frozen=True, slots=True)
class RollBack:
    """A planned roll-back: what it undoes, on which snapshots it was planned, and what it will do. It travels between tasks as a dict.

    `rejected` are all batches of the profile that are rejected with it in force, `flipped` those whose state it changes.
    """

    batch_id: str
    profile: str
    reason: str
    undone: list[str]
    rejected: list[str]
    flipped: list[str]
    latest_batch: str
    versions_snapshot: int
    embeddings_snapshot: int
    documents_restored: int = 0
    documents_removed: int = 0
    chunks_changed: int = 0
    records_upserted: int = 0
    records_deleted: int = 0
    is_begun: bool = False

    @property
    def description(self) -> str:
        """The plan in a few sentences, for the log and for whoever is asked to approve it."""
        more = len(self.undone) - SHOWN_UNDONE
        shown = ", ".join(self.undone[:SHOWN_UNDONE]) + (f" and {more} more" if more > 0 else "")
        return (
            f"Undoes {len(self.undone)} batches of profile {self.profile} ({shown}): {self.documents_restored} documents get another "
            f"version, {self.documents_removed} are removed, {self.chunks_changed} chunks change. The index gets {self.records_upserted} "
            f"records and loses {self.records_deleted}. No text is embedded. Reason: {code(self.reason)}"
        )

    def as_keys(self) -> dict[str, Any]:
        """The plan as XCom carries it, with its description."""
        return asdict(self) | {"description": self.description}

    @classmethod
    def of_keys(cls, keys: dict[str, Any]) -> "RollBack":
        """The plan that travelled as keys."""
        return cls(**{name: value for name, value in keys.items() if name != "description"})


def rejected_batches(rows: list[BatchRow]) -> set[str]:
    """The batches that the roll-backs in force undo. A roll-back that a later one undid is not in force."""
    rejected: set[str] = set()
    roll_backs = (row for row in rows if row.get("kind") == ROLL_BACK)
    for row in sorted(roll_backs, key=lambda row: row["batch_number"], reverse=True):
        if row["batch_id"] not in rejected:
            rejected.update(row["undone_batches"])
    return rejected


def open_roll_back(rows: list[BatchRow], profile: str) -> BatchRow | None:
    """The profile's roll-back that was begun and not finished, if there is one."""
    row = open_batch(rows, profile)
    return row if row and row.get("kind") == ROLL_BACK else None


def check_none_open(rows: list[BatchRow], profile: str) -> None:
    """Raise ConflictError while a batch of the profile is open: it was planned for the state that the roll-back would leave."""
    if other := open_batch(rows, profile):
        raise ConflictError(
            f"batch {other['batch_id']} of profile {profile!r} is {other['state']}: run {other['run_id']} of {other['dag_id']} works on "
            "it, wait until it is published, or give it up by triggering embed_documents with discard_open; then plan the roll-back again"
        )


def undone_since(rows: list[BatchRow], profile: str, moment: BatchRow) -> list[str]:
    """The batches to undo for the state in which `moment` left the profile: all that came after it, roll-backs among them."""
    later = [row["batch_id"] for row in _finished(rows, profile) if row["batch_number"] > moment["batch_number"]]
    if not later:
        raise NothingToDo(f"batch {moment['batch_id']} is the newest of profile {profile!r}: the lake is in that state already")
    return later


def undone_alone(rows: list[BatchRow], profile: str, batch_id: str) -> list[str]:
    """The batch to undo while those after it stay. Raises InputError for one that is unknown or was never published."""
    row = _named(rows, profile, batch_id)
    if row["state"] == REJECTED:
        raise NothingToDo(f"batch {batch_id} is rejected already")
    return [batch_id]


def moment_of(rows: list[BatchRow], profile: str, to: str) -> BatchRow | None:
    """The batch that a batch id, a snapshot of either table (while its batch is known), or a time names.

    None for a snapshot that no batch made. Raises InputError for anything else, with the moments that there are.
    """
    finished = _finished(rows, profile)
    if (snapshot := snapshot_id(to)) is not None:
        return next((row for row in finished if snapshot in (row["versions_snapshot"], row["embeddings_snapshot"])), None)
    if any(row["batch_id"] == to for row in rows):
        return _named(rows, profile, to)
    time = zoned_time(
        to,
        f"{quoted(to)} is neither a batch, a snapshot nor a time such as 2026-01-31T12:00+00:00; {_known(finished)}",
        f"the time {quoted(to)} has no time zone: write +00:00 behind it for UTC",
    )
    published = [row for row in finished if published_at(row) <= time]
    if not published:
        raise InputError(f"no batch of profile {profile!r} was published by {time.isoformat()}; {_known(finished)}")
    return max(published, key=lambda row: row["batch_number"])


def published_at(row: BatchRow) -> datetime:
    """When the batch became current; batches of older versions know only when their row last changed."""
    return row["published_at"] or row["updated_at"]


def unknown_moment(rows: list[BatchRow], profile: str, to: str) -> InputError:
    """The error for something that names no moment of the profile."""
    return InputError(
        f"{quoted(to)} is no moment of profile {profile!r}: give a batch id, a snapshot or a time; {_known(_finished(rows, profile))}"
    )


def turned(rows: list[BatchRow], roll_back: BatchRow, moment: datetime) -> list[BatchRow]:
    """The rows of the batches whose state changes once the roll-back is in force."""
    before, after = rejected_batches(rows), rejected_batches([*rows, roll_back])
    states = dict.fromkeys(after - before, REJECTED) | dict.fromkeys(before - after, PUBLISHED)
    return [
        row | {"state": states[row["batch_id"]], "updated_at": moment, "message": _message(states[row["batch_id"]], roll_back)}
        for row in rows
        if row["batch_id"] in states
    ]


def _message(state: str, roll_back: BatchRow) -> str:
    verb = "undone" if state == REJECTED else "put back"
    return f"{verb} by the roll-back {roll_back['batch_id']}: {roll_back['message']}"


def _finished(rows: list[BatchRow], profile: str) -> list[BatchRow]:
    return sorted((row for row in rows if row["profile"] == profile and row["state"] in FINISHED), key=lambda row: row["batch_number"])


def _named(rows: list[BatchRow], profile: str, batch_id: str) -> BatchRow:
    row = next((row for row in rows if row["batch_id"] == batch_id), None)
    if row is None or row["profile"] != profile:
        raise unknown_moment(rows, profile, batch_id)
    if row["state"] not in FINISHED:
        raise InputError(f"batch {batch_id} is {row['state']}, it was never published: there is nothing of it to undo")
    return row


def _known(finished: list[BatchRow]) -> str:
    if not finished:
        return "it has no batch yet"
    latest = [f"{row['batch_id']} ({row['state']} {published_at(row):%Y-%m-%d %H:%M:%S})" for row in finished[-SHOWN_BATCHES:]]
    return f"its latest batches are {', '.join(latest)}"
