"""The history of audits: what each check measured of a batch, and what somebody accepted of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.batches import BatchRow
from embedding_lakehouse.core.checks import ACCEPTED, Check
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS

ResultRow = dict[str, Any]


def record(lake: Lake, rows: list[ResultRow]) -> None:
    """Append results as rows of `quality_results`, all at the same time."""
    table = lake.table(QUALITY_RESULTS)
    now = datetime.now(UTC)
    if rows:
        table.append(pa.Table.from_pylist([row | {"checked_at": now} for row in rows], schema=table.schema().as_arrow()))


def result_row(lake: Lake, batch: BatchRow, check: Check, result: dict[str, Any]) -> ResultRow:
    """What a check found, as a row of `quality_results`."""
    is_count = check.kind == "rows"
    return {
        "batch_id": batch["batch_id"],
        "profile": batch["profile"],
        "check_name": check.name,
        "severity": check.severity,
        "verdict": result["verdict"],
        "violation_count": int(result["value"]) if is_count else None,
        "threshold": int(check.threshold) if is_count else None,
        "measured_value": result["value"],
        "allowed_value": float(check.threshold),
        "sample": json.dumps(result["sample"], ensure_ascii=False),
        "engine": lake.sql.name,
        "embeddings_snapshot": result["embeddings_snapshot"],
        "versions_snapshot": result["versions_snapshot"],
        "source_snapshot": result["source_snapshot"],
        "accepted_by": result.get("accepted_by"),
        "accepted_reason": result.get("accepted_reason"),
    }


def latest_results(lake: Lake, batch_id: str) -> dict[str, ResultRow]:
    """The latest result of each check of a batch, by the check's name."""
    rows = scan(lake.table(QUALITY_RESULTS), batch_id=batch_id).to_arrow().to_pylist()
    return {row["check_name"]: row for row in sorted(rows, key=lambda row: row["checked_at"])}


def acceptance(lake: Lake, batch_id: str, check_name: str) -> ResultRow | None:
    """The row by which somebody accepted the check's failure for this batch, if anybody did."""
    found = scan(lake.table(QUALITY_RESULTS), batch_id=batch_id, check_name=check_name, verdict=ACCEPTED).to_arrow().to_pylist()
    return max(found, key=lambda row: row["checked_at"], default=None)
