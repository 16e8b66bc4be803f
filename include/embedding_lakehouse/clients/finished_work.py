"""What batches, ingestions, syncs and comparisons leave behind that only they read, removed once nothing can go on with it."""

from collections.abc import Iterable
from datetime import datetime

from pyiceberg.expressions import In
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.iceberg import delete_where, head_snapshot, scan
from embedding_lakehouse.clients.ingest_runs import STAGING, running
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parts_folder
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.staged_batches import batches_of
from embedding_lakehouse.core.batches import OPEN_STATES
from embedding_lakehouse.core.index_tables import INDEX_FILLS, INDEX_FINDINGS
from embedding_lakehouse.core.maintenance import finished_keys
from embedding_lakehouse.core.releases import BUILDING, VERIFIED
from embedding_lakehouse.core.tables import (
    BATCH_CHUNKS,
    BATCH_DOCUMENTS,
    BATCH_REUSE,
    INDEX_SYNCS,
    ROLL_BACK_VERSIONS,
    SYNC_CHANGES,
    Table,
)

OF_BATCHES = (BATCH_DOCUMENTS, BATCH_CHUNKS, BATCH_REUSE)
OF_SYNCS = (SYNC_CHANGES, INDEX_FILLS)
OF_INGESTIONS = STAGING
# The tables where rows of finished work may lie, by name, and the column that names the work.
KEYED = {
    **{table.name: "batch_id" for table in (*OF_BATCHES, ROLL_BACK_VERSIONS)},
    **{table.name: "sync_id" for table in OF_SYNCS},
    **{table.name: "ingest_id" for table in OF_INGESTIONS},
    INDEX_FINDINGS.name: "reconciliation_id",
}


def finished_work(lake: Lake, declared: Table, before: datetime, receipts_since: datetime) -> list[str]:
    """The ids whose rows in the table nothing reads any more: of work begun before a moment and not open; none for other tables.

    Findings of comparisons are for people, and stay as long as receipts do. A roll-back that nobody approved yet keeps its plan, an
    ingestion that never said that it ended what it staged.
    """
    if declared.name not in KEYED:
        return []
    table, column = lake.table(declared), KEYED[declared.name]
    keys = present_keys(table, column)
    if declared in OF_BATCHES:
        return finished_keys(keys, _open_batches(lake), before)
    if declared in OF_SYNCS:
        return finished_keys(keys, needed_syncs(lake), before)
    if declared in OF_INGESTIONS:
        return finished_keys(keys, running(lake), before)
    if declared == INDEX_FINDINGS:
        return finished_keys(keys, (), receipts_since)
    ended = {row["batch_id"] for row in journal(lake).rows()} - _open_batches(lake)
    return finished_keys(keys & ended, (), before)


def finished_branches(lake: Lake, table: IcebergTable, before: datetime) -> list[str]:
    """The branches of batches that ended, last written before a moment. Tasks that came late made them, and nobody publishes them."""
    refs, limit = table.refs(), int(before.timestamp() * 1000)
    ended = [name for name, row in batches_of(lake, refs).items() if row["state"] not in OPEN_STATES]
    return sorted(name for name in ended if head_snapshot(table, name).timestamp_ms < limit)


def present_keys(table: IcebergTable, column: str) -> set[str]:
    """The different values of a column of strings; where the table is partitioned by it, without opening a data file."""
    (field,) = (one for one in table.schema().fields if one.name == column)
    positions = [position for position, one in enumerate(table.spec().fields) if one.source_id == field.field_id]
    if positions:
        return {task.file.partition[positions[0]] for task in table.scan().plan_files()}
    return set(table.scan(selected_fields=(column,)).to_arrow()[column].to_pylist())


def delete_keys(table: IcebergTable, column: str, keys: Iterable[str]) -> None:
    """Delete the rows under these ids in one commit; whole partitions go by metadata alone."""
    delete_where(table, In(column, list(keys)))


def folders_of_open_work(lake: Lake, table: IcebergTable) -> list[str]:
    """The folders of a table in which batches and ingestions that can still go on have staged, or will."""
    return [
        *(parts_folder(table, f"batch_id={batch_id}") for batch_id in sorted(_open_batches(lake))),
        *(parts_folder(table, f"ingest_id={ingest_id}") for ingest_id in running(lake)),
    ]


def _open_batches(lake: Lake) -> set[str]:
    return {row["batch_id"] for row in journal(lake).rows() if row["state"] in OPEN_STATES}


def needed_syncs(lake: Lake) -> set[str]:
    """The syncs that may still write or be made good for, and those by which a release is being built, verified and led on."""
    rows = Releases(lake).rows()
    building = [row["release_id"] for row in rows if row["state"] in (BUILDING, VERIFIED)]
    recorded = [
        sync_id
        for release_id in building
        for sync_id in scan(lake.table(INDEX_SYNCS), release_id=release_id).select("sync_id").to_arrow()["sync_id"].to_pylist()
    ]
    return {*recorded, *(sync_id for row in rows for sync_id in row["open_syncs"] or [])}
