"""The journal of ingestions, and the staging tables that an ingestion leaves empty when it ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

from embedding_lakehouse.clients.iceberg import delete_rows, scan
from embedding_lakehouse.clients.journal import Journal, JournalRow
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.ingest_tables import INGEST_CHANGES, INGEST_FILES, INGEST_RUNS, LISTED_FILES, STAGED_DOCUMENTS

READING = "reading"
MERGING = "merging"
FINISHED = "finished"
QUIET = "quiet"
STOPPED = "stopped"
# An ingestion that began so long ago without ending is dead: what it staged goes.
ABANDONED_AFTER = timedelta(days=1)
STAGING = (LISTED_FILES, INGEST_FILES, STAGED_DOCUMENTS, INGEST_CHANGES)


def journal(lake: Lake) -> Journal:
    """The journal of ingestions."""
    return Journal(lake.catalog, INGEST_RUNS, "ingest_id")


def record(lake: Lake, ingest_id: str, **changes: Any) -> JournalRow:
    """Put the columns of an ingestion's row, which begins with the first call; the row."""

    def decide(rows: list[JournalRow]) -> list[JournalRow]:
        known = next((row for row in rows if row["ingest_id"] == ingest_id), {"ingest_id": ingest_id})
        return [known | changes]

    (row,) = journal(lake).change(decide)
    return row


def end(lake: Lake, ingest_id: str, state: str, **changes: Any) -> None:
    """Record how an ingestion ended, and drop what it staged."""
    record(lake, ingest_id, state=state, finished_at=datetime.now(UTC), **changes)
    drop_staging(lake, ingest_id)


def drop_staging(lake: Lake, ingest_id: str) -> None:
    """Delete what an ingestion staged, by whole partitions; the files go with the next maintenance."""
    for declared in STAGING:
        table = lake.table(declared)
        if any(scan(table, ingest_id=ingest_id).plan_files()):
            delete_rows(table, ingest_id=ingest_id)


def running(lake: Lake) -> list[str]:
    """The ingestions that began and never said that they ended: at work, or dead."""
    return [row["ingest_id"] for row in journal(lake).rows() if row["finished_at"] is None]


def give_up(lake: Lake, ingest_id: str, reason: str) -> None:
    """Take from an ingestion that has not ended what it staged, so that it merges nothing more; one that was merging is announced later."""
    row = next(row for row in journal(lake).rows() if row["ingest_id"] == ingest_id)
    if row["state"] == MERGING:
        drop_staging(lake, ingest_id)
    else:
        end(lake, ingest_id, STOPPED, message=reason)


def interrupted(lake: Lake) -> list[str]:
    """The ingestions that began to merge and never said that they ended: their changes may not have been announced."""
    return [row["ingest_id"] for row in journal(lake).rows() if row["state"] == MERGING]


def end_abandoned(lake: Lake, now: datetime) -> None:
    """End the ingestions that were killed, a day after they began; one that was merging first has to be announced."""
    for row in journal(lake).rows():
        if row["finished_at"] is None and row["state"] != MERGING and row["started_at"] < now - ABANDONED_AFTER:
            end(lake, row["ingest_id"], STOPPED, message=row["message"] or "it was killed before it merged anything")
