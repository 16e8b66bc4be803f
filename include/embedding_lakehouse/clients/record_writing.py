"""Apply the shards of a planned sync to its namespace: records from their rows, several requests at a time."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService, Written
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_changes import embedding_rows, planned_deletes, planned_upserts
from embedding_lakehouse.core.records import encode_record, metadata, pack
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.errors import LakehouseError

# How often a long shard looks whether it still may write.
CHECK_SECONDS = 10

Shard = dict[str, Any]
Figures = dict[str, Any]
Item = TypeVar("Item")


def write_records(lake: Lake, service: IndexService, shard: Shard) -> Figures:
    """Write the shard's records: what was sent, and the log position up to which it can be read.

    Raises ConfigurationError where the index is missing or has another shape, ConflictError where a later sync took over.
    """
    sync = Sync(**shard["sync"])
    profile = settings.profile(sync.profile)
    index = service.open(sync.index)
    records = (
        encode_record(row.planned.chunk_id, row.vector, metadata(row.columns, row.planned.title, profile.index.include_text))
        for row in embedding_rows(lake, planned_upserts(lake, sync.sync_id, shard["shard"]))
    )
    written = index.upsert(while_open(lake, sync, pack(records, sync.namespace)))
    if written.records != shard["upserts"]:
        planned = f"sync {sync.sync_id} planned {shard['upserts']} records for shard {shard['shard']}"
        raise LakehouseError(f"{planned} and wrote {written.records}: run the task again")
    return figures(written)


def remove_records(lake: Lake, service: IndexService, shard: Shard) -> Figures:
    """Remove the shard's records that are no longer current: what was sent."""
    sync = Sync(**shard["sync"])
    gone = planned_deletes(lake, sync.sync_id, shard["shard"])
    return figures(service.open(sync.index).delete(sync.namespace, while_open(lake, sync, gone)))


def while_open(lake: Lake, sync: Sync, items: Iterable[Item]) -> Iterator[Item]:
    """The items, for as long as no later sync took over: a task that outlived its run must not undo what came after it."""
    checked_at = None
    for item in items:
        if checked_at is None or time.monotonic() - checked_at > CHECK_SECONDS:
            Releases(lake).check_open(sync)
            checked_at = time.monotonic()
        yield item


def figures(written: Written) -> Figures:
    """What was written, as tasks tell each other."""
    return {"records": written.records, "requests": written.requests, "bytes": written.bytes, "lsn": written.lsn}
