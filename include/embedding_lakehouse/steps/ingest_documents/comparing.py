"""Compare what was read with the documents that exist, and decide whether the difference may be merged."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients import ingest_runs
from embedding_lakehouse.clients.iceberg import append_once
from embedding_lakehouse.clients.ingest_runs import STOPPED
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.sources import source_of
from embedding_lakehouse.core.batches import new_batch_id
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.ingest_tables import STAGED_DOCUMENTS
from embedding_lakehouse.core.listing import check_deletes
from embedding_lakehouse.core.sharding import buckets
from embedding_lakehouse.errors import ApprovalRequired

# Texts that one MERGE holds in memory at most, and slices, beside a single larger document.
MERGE_CHARACTERS = 64_000_000

log = logging.getLogger(__name__)
Slices = Sequence[dict[str, Any]]


def compare_documents(shards: list[dict[str, Any]], params: dict[str, Any], lake: Lake | None = None) -> dict[str, Any]:
    """Register what the shards staged and find what differs; the comparison's key, its counts, and the ranges of slices to merge.

    Each try makes a comparison of its own. Raises ApprovalRequired where more documents would go than the limit allows.
    """
    lake = lake or connect()
    settings = IngestSettings.from_params(params)
    source = source_of(settings)
    ingest_id = shards[0]["ingest_id"]
    slices = sorted((piece for shard in shards for piece in shard["slices"]), key=lambda piece: piece["slice"])
    append_once(lake.table(STAGED_DOCUMENTS), [piece["part"] for piece in slices], {"batch_id": ingest_id})
    comparison_id = new_batch_id(datetime.now(UTC))
    count = buckets(sum(piece["rows"] for piece in slices))
    for bucket in range(count):
        binds = (ingest_id, ingest_id, count, bucket, source.uri, count, bucket, ingest_id, comparison_id)
        lake.sql.execute("ingest/compare_documents", binds)
    new, changed, removed, rejected = lake.sql.row("ingest/count_changes", (ingest_id, ingest_id, comparison_id))
    counts = {"new_documents": new, "changed_documents": changed, "removed_documents": removed, "rejected_documents": rejected}
    try:
        check_deletes(removed, _documents(lake, source.uri), settings.delete_limit, settings.allow_deletes)
    except ApprovalRequired as error:
        ingest_runs.end(lake, ingest_id, STOPPED, message=str(error))
        raise
    log.info("%s: %s", source.uri, ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    return {"ingest_id": ingest_id, "comparison_id": comparison_id, "counts": counts, "ranges": list(_ranges(slices))}


def _documents(lake: Lake, uri: str) -> int:
    return sum(count for known, count, _ in lake.sql.rows("ingest/count_sources") if known == uri)


def _ranges(slices: Slices) -> Iterator[list[int]]:
    """Ranges of slices, first and last, that a MERGE takes at once; the first one begins with 0, where the removed documents are."""
    first, last, characters = 0, 0, 0
    for piece in slices:
        if characters and characters + piece["characters"] > MERGE_CHARACTERS:
            yield [first, last]
            first, characters = piece["slice"], 0
        last = piece["slice"]
        characters += piece["characters"]
    yield [first, last]
