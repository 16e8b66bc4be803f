"""Where the source table still holds a text whose own snapshot has expired: maintenance keeps a later one that has it."""

from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import head_snapshot


def holding_snapshots(source: IcebergTable, snapshot_id: int, sequence_number: int | None = None) -> list[int]:
    """The snapshots to look for a version in, which was read from `snapshot_id` of that sequence number, in this order.

    The snapshot itself where it is kept. Otherwise the oldest that is younger, which holds every document that was not changed in
    between, and the source of now. A text found there is the version's own if it has its hash.
    """
    if source.snapshot_by_id(snapshot_id) is not None:
        return [snapshot_id]
    head = head_snapshot(source).snapshot_id
    if sequence_number is None:
        return [head]
    younger = [one for one in source.snapshots() if (one.sequence_number or 0) > sequence_number]
    oldest = min(younger, key=lambda one: one.sequence_number or 0, default=None)
    return list(dict.fromkeys([oldest.snapshot_id, head])) if oldest else [head]
