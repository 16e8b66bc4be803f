"""What a batch has staged before it is committed, and its end where it is given up."""

from typing import Any

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import drop_branch
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import list_parts, parts_folder, read_metadata
from embedding_lakehouse.core.batches import DISCARDED, BatchRow, branch_name
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.core.usage import Usage


def staged_files(lake: Lake, batch_id: str) -> list[str]:
    """The parts staged for a batch so far, by shard."""
    table = lake.table(DOCUMENT_EMBEDDINGS)
    return list_parts(table, parts_folder(table, f"batch_id={batch_id}"))


def staged_usage(lake: Lake, batch_id: str) -> Usage:
    """What was paid for a batch so far: by every try, as far as it was staged."""
    table = lake.table(DOCUMENT_EMBEDDINGS)
    return sum((Usage.of_metadata(read_metadata(table, file)) for file in staged_files(lake, batch_id)), start=Usage())


def drop_branches(lake: Lake, batch_id: str) -> None:
    """Remove the batch's branches."""
    for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS):
        drop_branch(lake.table(table), branch_name(batch_id))


def give_up(lake: Lake, row: BatchRow, reason: str) -> BatchRow:
    """Discard an open batch whose branches are gone; what it cost so far is kept with it."""
    paid = staged_usage(lake, row["batch_id"])
    costs: dict[str, Any] = {"requests": paid.requests, "tokens_embedded": paid.tokens, "price": paid.usd}
    return batches.move(lake, row["batch_id"], DISCARDED, message=reason, **costs)
