"""List a source, compare the listing with the registry of files, and plan what to read. Nothing is read or changed here."""

import logging
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients import ingest_runs
from embedding_lakehouse.clients.iceberg import append_once
from embedding_lakehouse.clients.ingest_runs import LISTED, QUIET, STOPPED
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.clients.sources import Source, Tally, source_of
from embedding_lakehouse.core.batches import new_batch_id
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.ingest_tables import LISTED_FILES
from embedding_lakehouse.core.listing import ListedFile, check_deletes, check_overlap
from embedding_lakehouse.errors import ApprovalRequired

PART_FILES = 100_000
MOST_SHARDS = 64
SHARD_FILES = 200
SHARD_BYTES = 16_000_000
VANISHED = -1

log = logging.getLogger(__name__)
Shard = dict[str, Any]


def list_files(params: dict[str, Any], run_id: str, lake: Lake | None = None) -> list[Shard]:
    """Plan an ingestion of the source; its shards as keys. A source where nothing changed has none.

    Raises ConfigurationError for a source that is missing, may not be listed, or overlaps with another one, ApprovalRequired where more
    documents would go than the limit allows.
    """
    lake = lake or connect()
    settings = IngestSettings.from_params(params)
    source = source_of(settings)
    started_at = datetime.now(UTC)
    ingest_runs.end_abandoned(lake, started_at)
    documents = {known: count for known, count, _ in lake.sql.rows("ingest/count_sources")}
    check_overlap(source.uri, list(documents))
    ingest_id = new_batch_id(started_at)
    listing = _stage_listing(lake, source, ingest_id)
    planned = _plan(lake, source, settings, ingest_id, listing["is_complete"])
    row = {"run_id": run_id, "source": source.uri, "started_at": started_at, **listing, **_counts(planned, listing["listed_files"])}
    return _decide(lake, settings, ingest_id, row, planned, documents.get(source.uri, 0))


def _decide(
    lake: Lake, settings: IngestSettings, ingest_id: str, row: dict[str, Any], planned: dict[int, tuple[int, int, int]], documents: int
) -> list[Shard]:
    _, _, vanishing = planned.get(VANISHED, (0, 0, 0))
    try:
        check_deletes(vanishing, documents, settings.delete_limit, settings.allow_deletes)
    except ApprovalRequired as error:
        ingest_runs.end(lake, ingest_id, STOPPED, message=str(error), **row)
        raise
    log.info("%s: %s", row["source"], ", ".join(f"{count:,} {name}" for name, count in row.items() if name.endswith("_files")))
    if not planned and not ingest_runs.interrupted(lake):
        ingest_runs.end(lake, ingest_id, QUIET, **row)
        return []
    ingest_runs.record(lake, ingest_id, state=LISTED, **row)
    # Files that only vanished, and changes that a killed run did not announce, take the same way: one shard without files.
    return [{"ingest_id": ingest_id, "shard": shard} for shard in planned if shard != VANISHED] or [{"ingest_id": ingest_id, "shard": 0}]


def _stage_listing(lake: Lake, source: Source, ingest_id: str) -> dict[str, Any]:
    table = lake.table(LISTED_FILES)
    folder = parts_folder(table, f"ingest_id={ingest_id}")
    tally = Tally()
    listed = source.files(tally)
    parts, count = [], 0
    while portion := list(islice(listed, PART_FILES)):
        parts.append(write_part(table, folder, _rows(portion, ingest_id)))
        count += len(portion)
    append_once(table, parts, {"batch_id": ingest_id})
    return {"listed_files": count, "ignored_files": tally.ignored, "is_complete": tally.is_complete}


def _rows(files: list[ListedFile], ingest_id: str) -> pa.Table:
    columns = {field.name: [getattr(file, field.name) for file in files] for field in fields(ListedFile)}
    columns["modified_at"] = pa.array(columns["modified_at"], pa.timestamp("us", "UTC"))
    return pa.table(columns | {"ingest_id": [ingest_id] * len(files)})


def _plan(lake: Lake, source: Source, settings: IngestSettings, ingest_id: str, is_complete: bool) -> dict[int, tuple[int, int, int]]:
    """Files, bytes and known documents of each shard that has any; those that vanished are shard -1."""
    reader, limits = settings.reader, settings.limits
    binds = (ingest_id, source.uri, reader, reader, limits, reader, is_complete, MOST_SHARDS, SHARD_FILES, SHARD_BYTES, ingest_id)
    lake.sql.execute("ingest/plan_files", binds)
    return {shard: (files, size or 0, documents) for shard, files, size, documents in _planned_shards(lake, source, ingest_id)}


def _planned_shards(lake: Lake, source: Source, ingest_id: str) -> Iterator[tuple[Any, ...]]:
    return lake.sql.stream("ingest/count_planned_files", (source.uri, ingest_id))


def _counts(planned: dict[int, tuple[int, int, int]], listed: int) -> dict[str, int]:
    read = {shard: counts for shard, counts in planned.items() if shard != VANISHED}
    read_files = sum(files for files, _, _ in read.values())
    return {
        "read_files": read_files,
        "unchanged_files": listed - read_files,
        "read_bytes": sum(size for _, size, _ in read.values()),
        "vanished_files": planned.get(VANISHED, (0, 0, 0))[0],
    }
