"""What a table costs: the files and manifests that reading its head opens, its history, and all that its folder holds."""

import time
from collections import Counter

from pyiceberg.manifest import DataFileContent
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.parts import stored_files
from embedding_lakehouse.core.maintenance import Figures


def measure_table(table: IcebergTable, target_bytes: int) -> Figures:
    """The table's figures now; a file below `target_bytes` counts as small."""
    table.refresh()
    manifests = head_snapshot(table).manifests(table.io)
    entries = [entry.data_file for manifest in manifests for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)]
    rows = [file for file in entries if file.content == DataFileContent.DATA]
    small = Counter(str(file.partition) for file in rows if file.file_size_in_bytes < target_bytes)
    stored = stored_files(table, table.location())
    return Figures(
        row_count=sum(file.record_count for file in rows),
        data_file_count=len(rows),
        data_bytes=sum(file.file_size_in_bytes for file in rows),
        delete_file_count=len(entries) - len(rows),
        most_small_files=max(small.values(), default=0),
        small_file_count=small.total(),
        manifest_count=len(manifests),
        manifest_bytes=sum(manifest.manifest_length for manifest in manifests),
        snapshot_count=len(table.snapshots()),
        tag_count=len(table.refs()),
        metadata_bytes=len(table.io.new_input(table.metadata_location)),
        stored_file_count=len(stored),
        stored_bytes=sum(file.size_bytes for file in stored),
        planning_seconds=_planning_seconds(table),
    )


def _planning_seconds(table: IcebergTable) -> float:
    begun = time.perf_counter()
    for _ in table.scan().plan_files():
        continue
    return time.perf_counter() - begun
