"""Chunks that the model refused: staged with the reason, recorded when the batch is committed, and no part of their versions then."""

import logging
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.iceberg import append_once, replace_branch, scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models.embedder import Rejection
from embedding_lakehouse.clients.parts import list_parts, parts_folder, read_parts, write_part
from embedding_lakehouse.core.batches import BatchRow, branch_name
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, REJECTED_CHUNKS

logger = logging.getLogger(__name__)


def stage_rejections(lake: Lake, row: BatchRow, shard: int, chunks: pa.Table, reasons: dict[str, Rejection]) -> None:
    """Write down the chunks with the reasons for which their texts (by hash) were rejected."""
    now, table = datetime.now(UTC), lake.table(REJECTED_CHUNKS)
    rows = [
        {**chunk, "profile": row["profile"], "reason_code": reason.code, "reason": reason.reason, "rejected_at": now}
        for chunk in chunks.to_pylist()
        for reason in (reasons[chunk["text_hash"]],)
    ]
    for chunk in rows[:20]:
        logger.warning("chunk %s of %s is rejected: %s", chunk["chunk_index"], chunk["doc_id"], chunk["reason"])
    write_part(table, parts_folder(table, f"batch_id={row['batch_id']}", f"shard={shard:04d}"), pa.Table.from_pylist(rows))


def staged_rejections(lake: Lake, batch_id: str, shard: int) -> list[str]:
    """The ids of the chunks of a shard that an earlier try rejected."""
    table = lake.table(REJECTED_CHUNKS)
    parts = list_parts(table, parts_folder(table, f"batch_id={batch_id}", f"shard={shard:04d}"))
    return [chunk for part in read_parts(table, parts, ["chunk_id"]) for chunk in part["chunk_id"].to_pylist()]


def record_rejections(lake: Lake, row: BatchRow, embedded: set[str]) -> set[str]:
    """Record the batch's rejected chunks and take them out of the versions on its branch; their ids, the same for every try.

    A chunk that one try rejected and another one embedded is not rejected.
    """
    table, batch_id = lake.table(REJECTED_CHUNKS), row["batch_id"]
    folder = parts_folder(table, f"batch_id={batch_id}")
    staged = read_parts(table, list_parts(table, folder), table.schema().column_names)
    rejected = {chunk["chunk_id"]: chunk for part in staged for chunk in part.to_pylist() if chunk["chunk_id"] not in embedded}
    files = [write_part(table, f"{folder}/recorded", pa.Table.from_pylist(list(rejected.values())))] if rejected else []
    append_once(table, files, {"batch_id": batch_id})
    # What was recorded first counts.
    recorded = set(scan(table, batch_id=batch_id).to_arrow()["chunk_id"].to_pylist())
    if recorded:
        _leave_out(lake, batch_id, recorded)
    return recorded


def _leave_out(lake: Lake, batch_id: str, rejected: set[str]) -> None:
    """Put the batch's versions on their branch anew, without the rejected chunks."""
    table, branch = lake.table(DOCUMENT_VERSIONS), branch_name(batch_id)
    versions: list[dict[str, Any]] = scan(table, batch_id=batch_id).use_ref(branch).to_arrow().to_pylist()
    left = [version | {"chunk_ids": [chunk for chunk in version["chunk_ids"] or [] if chunk not in rejected]} for version in versions]
    if left != versions:
        rows = pa.Table.from_pylist(left, schema=table.schema().as_arrow())
        replace_branch(
            table, branch, [write_part(table, parts_folder(table, f"batch_id={batch_id}", "left"), rows)], {"batch_id": batch_id}
        )
