"""Verify what a sync wrote before anything is removed, and record it: the watermark moves last."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import numpy as np
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, Record, VectorIndex, service_from_connection
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_changes import EmbeddingRow, embedding_rows, planned_upserts
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.records import metadata
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.errors import TransientError

Shard = dict[str, Any]
Figures = dict[str, Any]

# What is compared: all records of a small sync, otherwise some of each of a few shards.
SAMPLE_RECORDS = 1_000
SAMPLE_SHARDS = 4


class NotVisible(TransientError):
    """The index does not yet answer what was written to it."""


def verify_records(
    shards: Iterable[Shard], upserted: Iterable[Figures | None], lake: Lake | None = None, service: IndexService | None = None
) -> int:
    """Wait until the index shows what the sync wrote, then compare a sample with the lake; how many records were compared.

    Vectors must be equal bit for bit and metadata entirely. Raises TransientError that names a record which is not, once the index's
    patience is over.
    """
    writing = [shard for shard in shards if shard["upserts"]]
    if not writing:
        return 0
    lake = lake or connect()
    sync = Sync(**writing[0]["sync"])
    profile = settings.profile(sync.profile)
    index = (service or service_from_connection()).open(sync.index)
    sample = _sample(lake, sync, writing)
    lsn = max((figures["lsn"] for figures in upserted if figures and figures["lsn"] is not None), default=None)
    visible = Retrying(
        retry=retry_if_exception_type(NotVisible), wait=wait_exponential(0.05, max=5), stop=stop_after_delay(index.patience), reraise=True
    )
    if lsn is not None:
        visible(_reach, index, sync.namespace, sample[0].vector, lsn)
    visible(_compare, index, sync.namespace, profile, sample)
    return len(sample)


def record_sync(shards: Iterable[Shard], upserted: Iterable[Figures], deleted: Iterable[Figures], lake: Lake | None = None) -> str:
    """Append the sync to `index_syncs` and move the live release's watermark to where it led; its id.

    Raises ConflictError, and moves nothing, where another sync moved the watermark or was planned later.
    """
    lake = lake or connect()
    sync = Sync(**next(iter(shards))["sync"])
    upserted, deleted = list(upserted), list(deleted)
    Releases(lake).record_sync(
        sync,
        documents_changed=sync.document_count,
        records_upserted=_total(upserted, "records"),
        records_deleted=_total(deleted, "records"),
        requests=_total(upserted + deleted, "requests"),
        bytes_sent=_total(upserted + deleted, "bytes"),
    )
    return sync.sync_id


def _sample(lake: Lake, sync: Sync, writing: list[Shard]) -> list[EmbeddingRow]:
    """Rows of records that the sync wrote. Ids are hashes, so the lowest ones are a fair sample."""
    few = sum(shard["upserts"] for shard in writing) <= SAMPLE_RECORDS
    looked_at = writing if few else writing[:: max(1, len(writing) // SAMPLE_SHARDS)][:SAMPLE_SHARDS]
    of_each = SAMPLE_RECORDS if few else SAMPLE_RECORDS // len(looked_at)
    planned = []
    for shard in looked_at:
        planned += sorted(planned_upserts(lake, sync.sync_id, shard["shard"]), key=attrgetter("chunk_id"))[:of_each]
    return list(embedding_rows(lake, sorted(planned, key=attrgetter("source_file"))))


def _reach(index: VectorIndex, namespace: str, vector: np.ndarray, lsn: int) -> None:
    reached = index.reconciled_lsn(namespace, vector)
    # A service that does not tell its position is compared with alone.
    if reached is not None and reached < lsn:
        raise NotVisible(f"the index shows writes up to {reached}, the sync wrote up to {lsn}: it is behind, run sync_index again later")


def _compare(index: VectorIndex, namespace: str, profile: Profile, sample: list[EmbeddingRow]) -> None:
    found = index.fetch(namespace, [row.planned.chunk_id for row in sample])
    for row in sample:
        if trouble := _trouble(row, found.get(row.planned.chunk_id), profile):
            raise NotVisible(
                f"record {row.planned.chunk_id} of document {row.columns['doc_id']!r} in namespace {namespace} {trouble}: "
                "nothing was removed and the watermark stays; run sync_index again"
            )


def _trouble(row: EmbeddingRow, found: Record | None, profile: Profile) -> str:
    if found is None:
        return "was written and is not there"
    if found.values.tobytes() != row.vector.tobytes():
        return "has another vector than the lake"
    if found.metadata != metadata(row.columns, row.planned.title, profile.index.include_text):
        return f"has other metadata than the lake: {found.metadata}"
    return ""


def _total(figures: list[Figures], name: str) -> int:
    return sum(each[name] for each in figures if each)
