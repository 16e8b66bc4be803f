"""Compare records of a namespace with their rows in the lake: vectors bit for bit, metadata entirely."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import VectorIndex
from embedding_lakehouse.clients.record_differences import record_difference
from embedding_lakehouse.clients.sync_changes import EmbeddingRow, embedding_rows, planned_upserts
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import TransientError

# What is compared: all records of a small sync, otherwise some of each of a few shards.
SAMPLE_RECORDS = 1_000
SAMPLE_SHARDS = 4

Shard = dict[str, Any]


class NotVisible(TransientError):
    """The index does not yet answer what was written to it."""


def wait_until_visible(index: VectorIndex, look: Callable[[], Any]) -> Any:
    """What `look` returns once it no longer raises NotVisible; it is raised where the index's patience is over."""
    visible = Retrying(
        retry=retry_if_exception_type(NotVisible), wait=wait_exponential(0.05, max=5), stop=stop_after_delay(index.patience), reraise=True
    )
    return visible(look)


def sample_rows(lake: Lake, sync_id: str, writing: list[Shard]) -> list[EmbeddingRow]:
    """Rows of records that the sync wrote. Ids are hashes, so the lowest ones are a fair sample."""
    few = sum(shard["upserts"] for shard in writing) <= SAMPLE_RECORDS
    looked_at = writing if few else writing[:: max(1, len(writing) // SAMPLE_SHARDS)][:SAMPLE_SHARDS]
    of_each = SAMPLE_RECORDS if few else SAMPLE_RECORDS // len(looked_at)
    planned = []
    for shard in looked_at:
        planned += sorted(planned_upserts(lake, sync_id, shard["shard"]), key=attrgetter("chunk_id"))[:of_each]
    return list(embedding_rows(lake, sorted(planned, key=attrgetter("source_file"))))


def require_reached(index: VectorIndex, namespace: str, vector: np.ndarray, lsn: int) -> None:
    """Raise NotVisible where the namespace does not yet show every write up to the log position."""
    reached = index.reconciled_lsn(namespace, vector)
    # A service that does not tell its position is compared with alone.
    if reached is not None and reached < lsn:
        raise NotVisible(f"the index shows writes up to {reached}, and was written up to {lsn}: it is behind, run the DAG again later")


def require_equal(index: VectorIndex, namespace: str, profile: Profile, rows: list[EmbeddingRow]) -> None:
    """Raise NotVisible, which names the first record that differs from its row, where one does."""
    found = index.fetch(namespace, [row.planned.chunk_id for row in rows])
    for row in rows:
        if differs := record_difference(row, found.get(row.planned.chunk_id), profile):
            raise NotVisible(
                f"record {row.planned.chunk_id} of document {row.columns['doc_id']!r} in namespace {namespace} {differs.detail}: "
                "nothing was removed or switched and the watermark stays; run the DAG again"
            )
