"""Apply a shard of a planned sync: write its records, and later remove those that are gone. Repeating either changes nothing."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, Written, service_from_connection
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


def upsert_records(shard: Shard, lake: Lake | None = None, service: IndexService | None = None) -> Figures:
    """Write the shard's records into the release's namespace: what was sent, and the log position up to which it can be read.

    Raises ConfigurationError where the index is missing or has another shape, ConflictError where a later sync took over.
    """
    if not shard["upserts"]:
        return _figures(Written())
    lake = lake or connect()
    sync = Sync(**shard["sync"])
    profile = settings.profile(sync.profile)
    index = (service or service_from_connection()).open(sync.index)
    records = (
        encode_record(row.planned.chunk_id, row.vector, metadata(row.columns, row.planned.title, profile.index.include_text))
        for row in embedding_rows(lake, planned_upserts(lake, sync.sync_id, shard["shard"]))
    )
    written = index.upsert(_while_open(lake, sync, pack(records, sync.namespace)))
    if written.records != shard["upserts"]:
        planned = f"sync {sync.sync_id} planned {shard['upserts']} records for shard {shard['shard']}"
        raise LakehouseError(f"{planned} and wrote {written.records}: run sync_index again")
    return _figures(written)


def delete_records(shard: Shard, lake: Lake | None = None, service: IndexService | None = None) -> Figures:
    """Remove the shard's records that are no longer current from the release's namespace: what was sent."""
    if not shard["deletes"]:
        return _figures(Written())
    lake = lake or connect()
    sync = Sync(**shard["sync"])
    index = (service or service_from_connection()).open(sync.index)
    gone = planned_deletes(lake, sync.sync_id, shard["shard"])
    return _figures(index.delete(sync.namespace, _while_open(lake, sync, gone)))


def _while_open(lake: Lake, sync: Sync, items: Iterable[Item]) -> Iterator[Item]:
    """The items, for as long as no later sync took over: a task that outlived its run must not undo what came after it."""
    checked_at = None
    for item in items:
        if checked_at is None or time.monotonic() - checked_at > CHECK_SECONDS:
            Releases(lake).check_open(sync)
            checked_at = time.monotonic()
        yield item


def _figures(written: Written) -> Figures:
    return {"records": written.records, "requests": written.requests, "bytes": written.bytes, "lsn": written.lsn}
