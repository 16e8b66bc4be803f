"""Commit a batch's staged rows to its branch, and make the audited branches current: embeddings first, the ledger last."""

import logging
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from embedding_lakehouse.clients import batches, metrics
from embedding_lakehouse.clients.iceberg import (
    IcebergTable,
    StaleBranch,
    batch_snapshot,
    commit_files,
    delete_rows,
    head_snapshot,
    publish_branch,
    rebase_branch,
)
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.parts import parts_folder, read_parts, write_part
from embedding_lakehouse.clients.staged_batches import making_branches, staged_files, staged_usage
from embedding_lakehouse.core.batches import BLOCKED, COMMITTED, PRICED, PUBLISHED, BatchRow, branch_name
from embedding_lakehouse.core.measures import batch_figures, spending_figures
from embedding_lakehouse.core.plans import outcome
from embedding_lakehouse.core.tables import (
    BATCH_CHUNKS,
    BATCH_DOCUMENTS,
    BATCH_REUSE,
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    SOURCE_DOCUMENTS,
    Table,
)
from embedding_lakehouse.errors import ConflictError, LakehouseError, NothingToDo
from embedding_lakehouse.steps.embed_documents.auditing import audit_again
from embedding_lakehouse.steps.embed_documents.rejecting import record_rejections

PUBLISH_TRIES = 5

logger = logging.getLogger(__name__)


def commit_embeddings(batch_id: str, lake: Lake | None = None) -> str:
    """Register the staged files on the batch's branch; the batch id. Running it twice commits once.

    Chunks that the model rejected are recorded, and are no part of their versions. Raises LakehouseError where fewer or more rows are
    staged or rejected than planned, ConflictError, and leaves no branch, where the batch was given up meanwhile.
    """
    lake = lake or connect()
    row = batches.batch(lake, batch_id)
    if row["state"] == PRICED:
        with making_branches(lake, batch_id):
            _commit(lake, row)
    return batch_id


def _commit(lake: Lake, row: BatchRow) -> None:
    table, batch_id = lake.table(DOCUMENT_EMBEDDINGS), row["batch_id"]
    files, staged = _each_chunk_once(table, batch_id, staged_files(lake, batch_id), set())
    rejected = record_rejections(lake, row, staged)
    if rejected & staged:
        files, staged = _each_chunk_once(table, batch_id, files, rejected)
    planned = row["chunks_planned"] - row["chunks_kept"]
    if len(staged) + len(rejected) != planned:
        raise LakehouseError(
            f"batch {batch_id} planned {planned} rows, {len(staged)} are staged, {len(rejected)} rejected: clear its tasks embed_chunks"
        )
    commit_files(table, branch_name(batch_id), files, {"batch_id": batch_id})
    paid = staged_usage(lake, batch_id)
    counts = {"chunks_rejected": len(rejected), "requests": paid.requests, "tokens_embedded": paid.tokens, "price": paid.usd}
    logger.info("%s", outcome(batches.move(lake, batch_id, COMMITTED, **counts)))


def _each_chunk_once(table: IcebergTable, batch_id: str, files: list[str], rejected: set[str]) -> tuple[list[str], set[str]]:
    """Files that hold each staged chunk once, and these chunks: two tries that ran side by side may have staged the same ones.

    A chunk that was recorded as rejected is left out, though a late try embedded it.
    """
    seen: set[str] = set(rejected)
    chosen = []
    for file in files:
        chunk_ids = pa.concat_arrays([part["chunk_id"] for part in read_parts(table, [file], ["chunk_id"])]).to_pylist()
        fresh = [chunk for chunk in chunk_ids if chunk not in seen]
        if len(fresh) < len(chunk_ids):
            file = _rewritten(table, batch_id, file, fresh) if fresh else ""
        seen.update(fresh)
        chosen += [file] if file else []
    return chosen, seen - rejected


def _rewritten(table: IcebergTable, batch_id: str, file: str, chunk_ids: list[str]) -> str:
    columns = [field.name for field in table.schema().fields]
    rows = pa.Table.from_batches(read_parts(table, [file], columns, ds.field("chunk_id").isin(chunk_ids)))
    return write_part(table, parts_folder(table, f"batch_id={batch_id}", "deduplicated"), rows)


def publish_batch(batch_id: str, lake: Lake | None = None) -> dict[str, Any]:
    """Make the audited batch current; its `batch_id`, the `documents_remaining` for the next one, and `source_moved` since its plan.

    Where main moved meanwhile, the branch is rebased and audited again: no batch drops another. Running it twice publishes once.
    Raises AuditFailed where the batch does not hold on the new main.
    """
    lake = lake or connect()
    row = batches.batch(lake, batch_id)
    if row["state"] in (COMMITTED, BLOCKED):
        row = batches.publish(
            lake,
            batch_id,
            embeddings_snapshot=_publish(lake, row, DOCUMENT_EMBEDDINGS),
            versions_snapshot=_publish(lake, row, DOCUMENT_VERSIONS),
            message=None,
        )
        spending = spending_figures(batches.journal(lake).rows(), row["profile"], datetime.now(UTC))
        metrics.report(row["profile"], batch_figures(row) | spending)
    if row["state"] != PUBLISHED:
        raise ConflictError(f"batch {batch_id} is {row['state']}, only a committed batch can be published")
    for staging in (BATCH_DOCUMENTS, BATCH_CHUNKS, BATCH_REUSE):
        delete_rows(lake.table(staging), batch_id=batch_id)
    source_moved = head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id != row["source_snapshot"]
    return {"batch_id": batch_id, "documents_remaining": row["documents_remaining"], "source_moved": source_moved}


def require_backlog(published: dict[str, Any]) -> int:
    """The documents known to wait for the next batch. Raises NothingToDo where none do and the source is as the batch saw it.

    A resumed batch was planned by an earlier run: what has called for this run since is not in it.
    """
    if not published["documents_remaining"] and not published["source_moved"]:
        raise NothingToDo("no backlog: every document of the source is covered")
    return int(published["documents_remaining"])


def _publish(lake: Lake, row: BatchRow, declared: Table) -> int:
    branch = branch_name(row["batch_id"])
    for _ in range(PUBLISH_TRIES):
        table = lake.table(declared)
        if branch not in table.refs():
            return _published_before(table, declared, row)
        try:
            return publish_branch(table, branch)
        except StaleBranch:
            if rebase_branch(table, branch):
                audit_again(lake, row)
    raise ConflictError(f"{declared.name} changes faster than batch {row['batch_id']} can be audited: run the task again")


def _published_before(table: IcebergTable, declared: Table, row: BatchRow) -> int:
    # A batch may write no vector, but there is none without versions.
    has_rows = declared == DOCUMENT_VERSIONS or row["chunks_planned"] > row["chunks_kept"]
    known = batch_snapshot(table, row["batch_id"])
    if known is None and has_rows:
        raise ConflictError(f"the branch of batch {row['batch_id']} is gone from {declared.name}: discard the batch and run again")
    return known or head_snapshot(table).snapshot_id
