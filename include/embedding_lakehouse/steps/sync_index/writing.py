"""Apply a shard of a planned sync: write its records, and later remove those that are gone. Repeating either changes nothing."""

from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, Written, service_from_connection
from embedding_lakehouse.clients.record_writing import Figures, Shard, figures, remove_records, write_records


def upsert_records(shard: Shard, lake: Lake | None = None, service: IndexService | None = None) -> Figures:
    """Write the shard's records into the release's namespace: what was sent, and the log position up to which it can be read.

    Raises ConfigurationError where the index is missing or has another shape, ConflictError where a later sync took over.
    """
    if not shard["upserts"]:
        return figures(Written())
    return write_records(lake or connect(), service or service_from_connection(), shard)


def delete_records(shard: Shard, lake: Lake | None = None, service: IndexService | None = None) -> Figures:
    """Remove the shard's records that are no longer current from the release's namespace: what was sent."""
    if not shard["deletes"]:
        return figures(Written())
    return remove_records(lake or connect(), service or service_from_connection(), shard)
