"""The tombstones of forgotten documents: written before anything is erased, asked by everything that could bring a document back."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients.journal import Journal
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core import forgetting as rules
from embedding_lakehouse.core.forgetting import Tombstones
from embedding_lakehouse.core.forgetting_tables import FORGOTTEN_DOCUMENTS
from embedding_lakehouse.errors import ConflictError

# No document has this id: an empty list cannot be bound.
NOBODY = ("\ufdd0",)


def journal(lake: Lake) -> Journal:
    """The journal of tombstones."""
    return Journal(lake.catalog, FORGOTTEN_DOCUMENTS, "id_hash")


def in_force(lake: Lake) -> Tombstones:
    """The tombstones that were not lifted."""
    return Tombstones.of_rows(journal(lake).rows())


def put(lake: Lake, documents: dict[str, set[str]], erasure: dict[str, Any]) -> Tombstones:
    """Refuse these documents (content hashes by id) from now on; the tombstones in force. Those that are there already stay as they are."""
    salt, now = secrets.token_hex(16), datetime.now(UTC)
    journal(lake).change(lambda rows: rules.new_tombstones(rows, salt, documents, erasure, now))
    return in_force(lake)


def lift(lake: Lake, doc_ids: Iterable[str], by: str, reason: str) -> int:
    """Allow these documents again; how many. Raises InputError, and lifts none, where one of them is not forgotten."""
    wanted = sorted(set(doc_ids))
    return len(journal(lake).change(lambda rows: rules.lifted(rows, wanted, by, reason, datetime.now(UTC))))


def returned(lake: Lake, source_snapshot: int, versions_snapshot: int) -> tuple[str, ...]:
    """The forgotten documents that the source or the ledger has all the same, as a bind for `not in (?)`: nobody's id for none."""
    tombstones = in_force(lake)
    if not tombstones:
        return NOBODY
    names = {"source_snapshot": source_snapshot, "versions_snapshot": versions_snapshot}
    return tuple(doc_id for (doc_id,) in lake.sql.rows("forgetting/find_returned", [tombstones.salt], **names)) or NOBODY


def check_sync(lake: Lake, sync_id: str) -> None:
    """Raise ConflictError where a planned sync would write a record of a forgotten document."""
    tombstones = in_force(lake)
    if not tombstones:
        return
    if any(True for _ in lake.sql.rows("forgetting/find_planned", [sync_id, tombstones.salt])):
        raise ConflictError(
            f"the sync {sync_id} would write records of a document that was forgotten: the lake was put back to a state from before its "
            f"erasure, and nothing was written; trigger forget_documents for it again ({FORGOTTEN_DOCUMENTS.name} says when and why)"
        )
