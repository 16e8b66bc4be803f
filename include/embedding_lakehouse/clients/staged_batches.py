"""What a batch has staged before it is published, its branches, and its end where it is given up."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import drop_branch
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import list_parts, parts_folder, read_metadata
from embedding_lakehouse.core.batches import BRANCH_PREFIX, DISCARDED, OPEN_STATES, BatchRow, branch_name
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


def batches_of(lake: Lake, refs: Iterable[str]) -> dict[str, BatchRow]:
    """The batches whose branches are among these names, by branch; a branch of somebody's own belongs to none."""
    named = {name for name in refs if name.startswith(BRANCH_PREFIX)}
    rows = batches.journal(lake).rows() if named else []
    return {branch: row for row in rows if (branch := branch_name(row["batch_id"])) in named}


def drop_branches(lake: Lake, batch_id: str) -> None:
    """Remove the batch's branches."""
    for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS):
        drop_branch(lake.table(table), branch_name(batch_id))


@contextmanager
def making_branches(lake: Lake, batch_id: str) -> Iterator[None]:
    """What makes a branch of an open batch happens within. Where it fails and the batch has ended meanwhile, none stays behind."""
    try:
        yield
    except Exception:
        if batches.batch(lake, batch_id)["state"] not in OPEN_STATES:
            drop_branches(lake, batch_id)
        raise


def give_up(lake: Lake, row: BatchRow, reason: str) -> BatchRow:
    """Discard an open batch whose branches are gone; what it cost so far is kept with it."""
    paid = staged_usage(lake, row["batch_id"])
    costs: dict[str, Any] = {"requests": paid.requests, "tokens_embedded": paid.tokens, "price": paid.usd}
    discarded = batches.move(lake, row["batch_id"], DISCARDED, message=reason, **costs)
    # A task that was at work can have made one in between. From here on it is refused, and removes its own.
    drop_branches(lake, row["batch_id"])
    return discarded
