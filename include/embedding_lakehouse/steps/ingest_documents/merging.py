"""Merge what changed into the documents, then the rejections, then the registry of files. Every statement may run again."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tenacity import before_sleep_log, retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from embedding_lakehouse.clients import ingest_runs
from embedding_lakehouse.clients.ingest_runs import FINISHED, MERGING, READING, STOPPED
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.sources import source_of
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.ingest_tables import REJECTED_DOCUMENTS
from embedding_lakehouse.core.sharding import buckets
from embedding_lakehouse.errors import ConflictError, NothingToDo

MERGE_TRIES = 6

log = logging.getLogger(__name__)


def merge_documents(comparison: dict[str, Any], params: dict[str, Any], lake: Lake | None = None) -> dict[str, int]:
    """Bring documents, rejections and the registry up to date; what changed.

    Raises NothingToDo where no document changed and no killed run left changes that nobody heard of; ConflictError where other writers
    won six times.
    """
    lake = lake or connect()
    settings = IngestSettings.from_params(params)
    uri = source_of(settings).uri
    ingest_id, counts = comparison["ingest_id"], comparison["counts"]
    others = [other for other in ingest_runs.interrupted(lake) if other != ingest_id]
    changed_count = counts["new_documents"] + counts["changed_documents"] + counts["removed_documents"]
    # From here on a killed run has left changes behind: the next one announces them.
    row = ingest_runs.record(lake, ingest_id, state=MERGING if changed_count else READING, **counts)
    now = datetime.now(UTC)
    if changed_count:
        _merge_changes(lake, comparison, uri, now)
    _merge_bookkeeping(lake, comparison, settings, row, now)
    for other in others:
        ingest_runs.record(
            lake, other, state=STOPPED, message=f"it was killed while it merged; ingestion {ingest_id} announced its changes"
        )
    ingest_runs.end(lake, ingest_id, FINISHED)
    if not changed_count and not others:
        raise NothingToDo("what was read says what was known already: no document changed")
    return dict(counts)


def _merge_changes(lake: Lake, comparison: dict[str, Any], uri: str, now: datetime) -> None:
    ingest_id, comparison_id = comparison["ingest_id"], comparison["comparison_id"]
    for number, (first, last) in enumerate(comparison["ranges"], start=1):
        _execute(lake, "ingest/merge_documents", (uri, now, ingest_id, first, last, ingest_id, comparison_id, first, last))
        log.info("merged %d of %d ranges", number, len(comparison["ranges"]))


def _merge_bookkeeping(lake: Lake, comparison: dict[str, Any], settings: IngestSettings, row: dict[str, Any], now: datetime) -> None:
    """The rejections, then the registry, a bucket of files after the other."""
    ingest_id, uri, reader, limits = row["ingest_id"], row["source"], settings.reader, settings.limits
    files = row["read_files"] + row["vanished_files"]
    if row["rejected_documents"] or lake.table(REJECTED_DOCUMENTS).scan().count():
        count = buckets(files + row["rejected_documents"])
        for bucket in range(count):
            binds = (uri, ingest_id, count, bucket, ingest_id, ingest_id, comparison["comparison_id"], now, now, now)
            _execute(lake, "ingest/merge_rejections", binds)
    count = buckets(files)
    for bucket in range(count):
        readers = (reader, reader, limits, reader, reader)
        _execute(lake, "ingest/merge_files", (uri, ingest_id, count, bucket, *readers, uri, now, ingest_id, uri, now, ingest_id))


@retry(
    retry=retry_if_exception_type(ConflictError),
    stop=stop_after_attempt(MERGE_TRIES),
    wait=wait_random_exponential(0.5, max=10),
    before_sleep=before_sleep_log(log, logging.WARNING),
    reraise=True,
)
def _execute(lake: Lake, statement: str, binds: Sequence[Any]) -> None:
    lake.sql.execute(statement, binds)
