"""The table `maintenance_runs`: one row for each table and run of `maintain_tables`, with what there was before and after."""

from datetime import datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.maintenance import Done, Figures
from embedding_lakehouse.core.monitoring_tables import MAINTENANCE_RUNS

# The column of each figure, without `_before` and `_after`.
COLUMNS = {
    "rows": "row_count",
    "data_files": "data_file_count",
    "data_bytes": "data_bytes",
    "delete_files": "delete_file_count",
    "small_files": "small_file_count",
    "manifests": "manifest_count",
    "snapshots": "snapshot_count",
    "metadata_bytes": "metadata_bytes",
    "stored_files": "stored_file_count",
    "stored_bytes": "stored_bytes",
    "planning_seconds": "planning_seconds",
}


def record_maintenance(lake: Lake, before: Figures, after: Figures, done: Done, **columns: Any) -> None:
    """Append what became of a table."""
    figures = {
        f"{column}_{when}": getattr(known, name)
        for when, known in (("before", before), ("after", after))
        for column, name in COLUMNS.items()
    }
    table = lake.table(MAINTENANCE_RUNS)
    row = figures | done.as_columns() | columns
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))


def maintenance_rows(lake: Lake, maintenance_id: str) -> list[dict[str, Any]]:
    """The rows of a run by table; of a table that was tried more than once the last one."""
    rows = scan(lake.table(MAINTENANCE_RUNS), maintenance_id=maintenance_id).to_arrow().to_pylist()
    latest: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=_finished):
        latest[row["table_name"]] = row
    return list(latest.values())


def _finished(row: dict[str, Any]) -> datetime:
    return row["finished_at"]
