"""Snapshots by their states: one from which documents were erased takes the place of an earlier one, with its time and order."""

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot

# Properties of a snapshot that took the place of an earlier one, from which documents were erased: that one's time and sequence number.
MADE_AT, MADE_AS = "made-at-ms", "made-as-sequence-number"


def source_tag(snapshot_id: int) -> str:
    """The tag that keeps a snapshot of the source for receipts."""
    return f"source-{snapshot_id}"


def kept_snapshot(table: IcebergTable, snapshot_id: int) -> Snapshot | None:
    """The snapshot of the source, or the one that took over its tag when documents were erased from it; None where neither is there.

    An erasure at work leaves the snapshot itself there for a while, so the tag comes first.
    """
    return table.snapshot_by_name(source_tag(snapshot_id)) or table.snapshot_by_id(snapshot_id)


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
