"""Snapshots by their states: one from which documents were erased takes the place of an earlier one, with its time and order."""

from datetime import UTC, datetime

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

# Properties of a snapshot that took the place of an earlier one, from which documents were erased: that one's time and sequence number.
MADE_AT, MADE_AS = "made-at-ms", "made-as-sequence-number"
# How tags begin that keep a state for receipts: of the source, and of the ledger where a release was led to it.
SOURCE_TAG, LED_TAG = "source-", "led-"


def source_tag(snapshot_id: int) -> str:
    """The tag that keeps a snapshot of the source for receipts."""
    return f"{SOURCE_TAG}{snapshot_id}"


def led_tag(snapshot_id: int) -> str:
    """The tag that keeps a state of the ledger which a release was led to, for receipts."""
    return f"{LED_TAG}{snapshot_id}"


def kept_snapshot(table: IcebergTable, snapshot_id: int) -> Snapshot | None:
    """The snapshot of the source, or the one that took over its tag when documents were erased from it; None where neither is there.

    An erasure at work leaves the snapshot itself there for a while, so the tag comes first.
    """
    return table.snapshot_by_name(source_tag(snapshot_id)) or table.snapshot_by_id(snapshot_id)


def led_snapshot(ledger: IcebergTable, snapshot_id: int) -> Snapshot | None:
    """The same for a state of the ledger that a release was led to."""
    return ledger.snapshot_by_name(led_tag(snapshot_id)) or ledger.snapshot_by_id(snapshot_id)


def snapshot_at(table: IcebergTable, milliseconds: int) -> Snapshot | None:
    """The snapshot of the newest state that was made by a time; None where none that old is left."""
    by_then = [one for one in table.snapshots() if snapshot_time(one) <= milliseconds]
    # Of two of one state the later one took the place of the other.
    return sorted(by_then, key=lambda one: (snapshot_time(one), made_in_order(one)))[-1] if by_then else None


def main_since(table: IcebergTable, snapshot_id: int) -> datetime | None:
    """When the snapshot first became main; None where the table's log does not say."""
    times = [entry.timestamp_ms for entry in table.metadata.snapshot_log if entry.snapshot_id == snapshot_id]
    return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None


def snapshot_time(snapshot: Snapshot) -> int:
    """When the snapshot's state was made, in milliseconds: for one that took the place of an earlier one, when that was."""
    return _inherited(snapshot, MADE_AT) or snapshot.timestamp_ms


def made_in_order(snapshot: Snapshot) -> int:
    """The sequence number by which snapshots stand in the order of their states."""
    return _inherited(snapshot, MADE_AS) or snapshot.sequence_number or 0


def took_over(table: IcebergTable, snapshot_id: int, earlier_id: int) -> bool:
    """Whether a snapshot took the place of an earlier one, which is still there, when documents were erased from it."""
    snapshot, earlier = table.snapshot_by_id(snapshot_id), table.snapshot_by_id(earlier_id)
    if snapshot is None or earlier is None or snapshot == earlier or not _inherited(snapshot, MADE_AS):
        return False
    return made_in_order(snapshot) == made_in_order(earlier)


def _inherited(snapshot: Snapshot, name: str) -> int:
    return int((snapshot.summary.additional_properties if snapshot.summary else {}).get(name, 0))
