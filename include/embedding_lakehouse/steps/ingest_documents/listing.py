"""List a source, compare the listing with the registry of files, and plan what to read. Nothing is read or changed here."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients import ingest_runs
from embedding_lakehouse.clients.iceberg import append_once
from embedding_lakehouse.clients.ingest_runs import QUIET, READING, STOPPED
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.clients.sources import Source, Tally, source_of
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.core.batches import new_batch_id
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.ingest_tables import INGEST_FILES, LISTED_FILES
from embedding_lakehouse.core.listing import ListedFile, check_deletes, check_overlap
from embedding_lakehouse.core.sharding import buckets, file_shards, spread
from embedding_lakehouse.errors import LakehouseError

# Files that are held in memory at once.
PORTION_FILES = 200_000
VANISHED_SHARD = -1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ComparedFile(ListedFile):
    """A file that differs from what the registry knows; a vanished one has `document_count` documents."""

    change: str = "new"
    document_count: int = 0


@dataclass(slots=True)
class Plan:
    """What an ingestion will read, and what is gone: the work of each shard, and the counts."""

    loads: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"read_files": 0, "read_bytes": 0, "vanished_files": 0})
    vanishing_documents: int = 0


def list_files(params: dict[str, Any], run_id: str, lake: Lake | None = None) -> list[dict[str, Any]]:
    """Plan an ingestion of the source; its shards as keys. A source where nothing changed has none.

    Raises ConfigurationError for a source that is missing, may not be listed, or overlaps with another one, ApprovalRequired where more
    documents would go than the limit allows.
    """
    lake = lake or connect()
    settings = IngestSettings.from_params(params)
    source = source_of(settings)
    started_at = datetime.now(UTC)
    ingest_runs.end_abandoned(lake, started_at)
    known = {uri: (documents, files) for uri, documents, files in lake.sql.rows("ingest/count_sources")}
    known_documents, known_files = known.get(source.uri, (0, 0))
    check_overlap(source.uri, list(known))
    ingest_id = new_batch_id(started_at)
    ingest_runs.record(lake, ingest_id, state=READING, run_id=run_id, source=source.uri, started_at=started_at)
    try:
        counts, plan = _compare(lake, source, settings, ingest_id, known_files)
        ingest_runs.record(lake, ingest_id, **counts)
        check_deletes(plan.vanishing_documents, known_documents, settings.delete_limit, settings.allow_deletes)
    except LakehouseError as error:
        ingest_runs.end(lake, ingest_id, STOPPED, message=str(error))
        raise
    # Files that only vanished, and changes that a killed run did not announce, take the same way: one shard without files.
    if not (plan.loads or plan.counts["vanished_files"] or ingest_runs.interrupted(lake)):
        ingest_runs.end(lake, ingest_id, QUIET)
        return []
    return [{"ingest_id": ingest_id, "shard": shard} for shard in range(max(1, len(plan.loads)))]


def _compare(lake: Lake, source: Source, settings: IngestSettings, ingest_id: str, known_files: int) -> tuple[dict[str, Any], Plan]:
    """List the source and plan what differs from the registry; the counts for the journal, and the plan."""
    listing = _stage_listing(lake, source, ingest_id)
    compared = _compared(lake.sql, source.uri, settings, ingest_id, buckets(max(known_files, listing["listed_files"])))
    plan = _plan(lake, ingest_id, _differing(compared, listing["is_complete"]))
    counts = {**listing, **plan.counts, "unchanged_files": listing["listed_files"] - plan.counts["read_files"]}
    log.info("%s: %s", source.uri, ", ".join(f"{count:,} {name}" for name, count in counts.items() if name.endswith("_files")))
    return counts, plan


def _stage_listing(lake: Lake, source: Source, ingest_id: str) -> dict[str, Any]:
    table = lake.table(LISTED_FILES)
    folder = parts_folder(table, f"ingest_id={ingest_id}")
    tally = Tally()
    count, parts = 0, []
    for portion in _portions(source.files(tally)):
        count += len(portion)
        parts.append(write_part(table, folder, _rows(portion, ListedFile, ingest_id)))
    append_once(table, parts, {"batch_id": ingest_id})
    return {"listed_files": count, "ignored_files": tally.ignored, "is_complete": tally.is_complete}


def _compared(sql: SqlEngine, uri: str, settings: IngestSettings, ingest_id: str, count: int) -> Iterator[ComparedFile]:
    """What differs between listing and registry, one bucket of paths after the other."""
    reader, limits = settings.reader, settings.limits
    for bucket in range(count):
        binds = (ingest_id, count, bucket, uri, count, bucket, reader, reader, limits, reader)
        for path, size_bytes, modified_at, etag, problem, change, document_count in sql.stream("ingest/compare_files", binds):
            yield ComparedFile(path, size_bytes or 0, modified_at, etag, problem, change, document_count)


def _differing(compared: Iterable[ComparedFile], is_complete: bool) -> Iterator[ComparedFile]:
    """The files to read and the vanished ones; those that wait for another file's id come last, and only if any other changed."""
    waiting: list[ComparedFile] = []
    is_quiet = True
    for file in compared:
        if file.change == "waiting":
            waiting.append(file)
        elif file.change != "vanished" or is_complete:
            is_quiet = False
            yield file
    if not is_quiet:
        yield from waiting


def _plan(lake: Lake, ingest_id: str, differing: Iterable[ComparedFile]) -> Plan:
    """Spread the files over shards and stage them, a portion at a time."""
    table = lake.table(INGEST_FILES)
    plan, parts = Plan(), []
    for portion in _portions(differing):
        vanished = [file for file in portion if file.change == "vanished"]
        read = [file for file in portion if file.change != "vanished"]
        sizes = [file.size_bytes for file in read]
        if read and not plan.loads:
            plan.loads = [0] * file_shards(sizes)
        by_shard: dict[int, list[ListedFile]] = {VANISHED_SHARD: vanished}
        for file, shard in zip(read, spread(sizes, plan.loads), strict=True):
            by_shard.setdefault(shard, []).append(file)
        for shard, files in by_shard.items():
            if files:
                folder = parts_folder(table, f"ingest_id={ingest_id}", f"shard={shard:04d}")
                parts.append(write_part(table, folder, _rows(files, ComparedFile, ingest_id, shard)))
        plan.counts["read_files"] += len(read)
        plan.counts["read_bytes"] += sum(sizes)
        plan.counts["vanished_files"] += len(vanished)
        plan.vanishing_documents += sum(file.document_count for file in vanished)
    append_once(table, parts, {"batch_id": ingest_id})
    return plan


def _portions(files: Iterable[Any]) -> Iterator[list[Any]]:
    remaining = iter(files)
    while portion := list(islice(remaining, PORTION_FILES)):
        yield portion


def _rows(files: list[Any], kind: type, ingest_id: str, shard: int | None = None) -> pa.Table:
    columns: dict[str, Any] = {column.name: [getattr(file, column.name) for file in files] for column in fields(kind)}
    columns["modified_at"] = pa.array(columns["modified_at"], pa.timestamp("us", "UTC"))
    columns["problem"] = pa.array(columns["problem"], pa.string())
    return pa.table(columns | {"ingest_id": [ingest_id] * len(files), "shard": [shard] * len(files)})
