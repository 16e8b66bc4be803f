"""Say what a whole run did, over all tables."""

import logging
from typing import Any

from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.maintenance_runs import maintenance_rows
from embedding_lakehouse.core.maintenance import size

SUMMED = ("snapshots_expired", "files_removed", "bytes_removed")

logger = logging.getLogger(__name__)


def conclude_maintenance(maintenance_id: str, lake: Lake | None = None) -> dict[str, Any]:
    """The sums of the run over all of its tables; the log names the tables with anything left, the largest first."""
    rows = maintenance_rows(lake or connect(), maintenance_id)
    summed = {name: sum(row[name] for row in rows) for name in SUMMED}
    would = "would have " if any(row["is_dry_run"] for row in rows) else ""
    logger.info(
        "%s tables: %slet %s snapshots expire, %sremoved %s files of %s",
        len(rows),
        would,
        f"{summed['snapshots_expired']:,}",
        would,
        f"{summed['files_removed']:,}",
        size(summed["bytes_removed"]),
    )
    for row in sorted(rows, key=lambda row: -row["stored_bytes_after"]):
        left = f"; left: {row['message']}" if row["message"] else ""
        logger.info(
            "%s: %s -> %s stored, %s -> %s data files, %s -> %s manifests, %s -> %s snapshots%s",
            row["table_name"],
            *(size(row[f"stored_bytes_{when}"]) for when in ("before", "after")),
            *(f"{row[f'{name}_{when}']:,}" for name in ("data_files", "manifests", "snapshots") for when in ("before", "after")),
            left,
        )
    return {"tables": len(rows)} | summed
