"""Verify what a sync wrote before anything is removed, and record it: the watermark moves last."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches, metrics
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.clients.record_checks import require_equal, require_reached, sample_rows, wait_until_visible
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.batches import latest_published
from embedding_lakehouse.core.measures import sync_figures
from embedding_lakehouse.core.releases import LIVE
from embedding_lakehouse.core.syncs import Sync

Shard = dict[str, Any]
Figures = dict[str, Any]


def verify_records(
    shards: Iterable[Shard], upserted: Iterable[Figures | None], lake: Lake | None = None, service: IndexService | None = None
) -> int:
    """Wait until the index shows what the sync wrote, then compare a sample with the lake; how many records were compared.

    Vectors must be equal bit for bit and metadata entirely. Raises TransientError that names a record which is not, once the index's
    patience is over. From then on the alias of a live release leads to its namespace, where the service has aliases.
    """
    writing = [shard for shard in shards if shard["upserts"]]
    if not writing:
        return 0
    lake = lake or connect()
    sync = Sync(**writing[0]["sync"])
    profile = settings.profile(sync.profile)
    index = (service or service_from_connection()).open(sync.index)
    sample = sample_rows(lake, sync.sync_id, writing)
    lsn = max((figures["lsn"] for figures in upserted if figures and figures["lsn"] is not None), default=None)
    if lsn is not None:
        wait_until_visible(index, lambda: require_reached(index, sync.namespace, sample[0].vector, lsn))
    wait_until_visible(index, lambda: require_equal(index, sync.namespace, profile, sample))
    if Releases(lake).named(sync.release_id)["state"] == LIVE:
        index.point_alias(sync.profile, sync.namespace)
    return len(sample)


def record_sync(shards: Iterable[Shard], upserted: Iterable[Figures], deleted: Iterable[Figures], lake: Lake | None = None) -> str:
    """Append the sync to `index_syncs` and move the live release's watermark to where it led; its id.

    Raises ConflictError, and moves nothing, where another sync moved the watermark or was planned later.
    """
    lake = lake or connect()
    sync = Sync(**next(iter(shards))["sync"])
    upserted, deleted = list(upserted), list(deleted)
    records_upserted, records_deleted = _total(upserted, "records"), _total(deleted, "records")
    Releases(lake).record_sync(
        sync,
        documents_changed=sync.document_count,
        records_upserted=records_upserted,
        records_deleted=records_deleted,
        requests=_total(upserted + deleted, "requests"),
        bytes_sent=_total(upserted + deleted, "bytes"),
    )
    newest = latest_published(batches.journal(lake).rows(), sync.profile)
    published_at = newest["published_at"] if newest else None
    metrics.report(sync.profile, sync_figures(records_upserted, records_deleted, published_at, datetime.now(UTC)))
    return sync.sync_id


def _total(figures: list[Figures], name: str) -> int:
    return sum(each[name] for each in figures if each)
