"""Where the source table still holds a text whose own snapshot has expired: maintenance keeps a later one that has it."""

from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.snapshots import kept_snapshot, made_in_order


def holding_snapshots(source: IcebergTable, snapshot_id: int, sequence_number: int | None = None) -> list[int]:
    """The snapshots to look for a version in, which was read from `snapshot_id` of that sequence number, in this order.

    The snapshot itself where it is kept, or the one that took its place in an erasure. Otherwise the oldest that is younger, which holds
    every document that was not changed in between, and the source of now. A text found there is the version's own if it has its hash.
    """
    if kept := kept_snapshot(source, snapshot_id):
        return [kept.snapshot_id]
    head = head_snapshot(source).snapshot_id
    if sequence_number is None:
        return [head]
    younger = [one for one in source.snapshots() if made_in_order(one) > sequence_number]
    oldest = min(younger, key=made_in_order, default=None)
    return list(dict.fromkeys([oldest.snapshot_id, head])) if oldest else [head]
