"""Begin an approved erasure: the tombstones first, then whatever is at work with the documents is stopped."""

import logging
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients import batches, ingest_runs
from embedding_lakehouse.clients.forgetting import erasures, tombstones
from embedding_lakehouse.clients.forgetting.erasures import DOCUMENTS, Notes
from embedding_lakehouse.clients.forgetting.holdings import look_through
from embedding_lakehouse.clients.forgetting.selection import chosen_documents
from embedding_lakehouse.clients.iceberg import delete_rows, scan
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.clients.release_serving import drop_release
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.staged_batches import drop_branches, give_up
from embedding_lakehouse.core.batches import OPEN_STATES, ROLL_BACK
from embedding_lakehouse.core.erasures import ErasurePlan, Wish
from embedding_lakehouse.core.forgetting import BEGUN, FORGOTTEN, digest
from embedding_lakehouse.core.ingest_tables import REJECTED_DOCUMENTS, SOURCE_FILES
from embedding_lakehouse.core.releases import BUILDING
from embedding_lakehouse.errors import ConflictError, NothingToDo

CONTENTS = "contents"

log = logging.getLogger(__name__)


def begin_erasure(
    plan: dict[str, Any],
    params: dict[str, Any],
    approved_by: str | None = None,
    run_id: str = "",
    lake: Lake | None = None,
    service: IndexService | None = None,
) -> str:
    """Put the approved plan into force; the erasure's id. Running it again goes on where it was.

    From here on the documents are refused. Raises ConflictError, and changes nothing, where other documents are meant than were approved,
    or a roll-back is half done; NothingToDo once tombstones were lifted.
    """
    lake = lake or connect()
    planned, wish = ErasurePlan.of_keys(plan), Wish.from_params(params)
    if planned.is_lift:
        raise NothingToDo(_lifted(lake, wish))
    check_no_roll_back(lake)
    begun = erasures.unfinished(lake)
    if begun is None:
        begun = _begun(lake, planned, wish, approved_by, run_id)
    if begun["erasure_id"] != planned.erasure_id:
        raise ConflictError(
            f"the erasure {begun['erasure_id']} was begun in between: trigger forget_documents again, which finishes it first"
        )
    if begun["state"] != BEGUN:
        return str(begun["erasure_id"])
    contents = Notes(lake, begun["erasure_id"]).read(CONTENTS, {})
    tombstones.put(lake, {doc_id: set(found) for doc_id, found in contents.items()}, begun)
    _stop_others(lake, service or service_from_connection(), begun["erasure_id"])
    return str(begun["erasure_id"])


def _begun(lake: Lake, planned: ErasurePlan, wish: Wish, approved_by: str | None, run_id: str) -> dict[str, Any]:
    if any(row["erasure_id"] == planned.erasure_id for row in erasures.journal(lake).rows()):
        return erasures.named(lake, planned.erasure_id)
    doc_ids = chosen_documents(lake, wish)
    if digest(planned.erasure_id, doc_ids) != planned.digest:
        raise ConflictError("the filter means other documents now than when the plan was approved: trigger forget_documents again")
    erasures.remove_strays(lake)
    forgotten, contents = look_through(lake, doc_ids)
    notes = Notes(lake, planned.erasure_id)
    notes.write(DOCUMENTS, forgotten.as_note())
    notes.write(CONTENTS, {doc_id: sorted(found) for doc_id, found in contents.items()})
    row = {
        "erasure_id": planned.erasure_id,
        "state": BEGUN,
        "document_count": len(doc_ids),
        "requested_by": wish.requested_by,
        "approved_by": approved_by,
        "reason": wish.reason,
        "run_id": run_id,
        "started_at": datetime.now(UTC),
        "finished_at": None,
        "certificate": None,
    }
    erasures.begin(lake, row)
    return row


def check_no_roll_back(lake: Lake) -> None:
    """Raise ConflictError while a roll-back is half done: its plan names versions that would be gone."""
    for row in batches.journal(lake).rows():
        if row["state"] in OPEN_STATES and row.get("kind") == ROLL_BACK:
            raise ConflictError(
                f"the roll-back {row['batch_id']} is half done: trigger roll_back_embeddings, which finishes it, then this again"
            )


def _stop_others(lake: Lake, service: IndexService, erasure_id: str) -> None:
    """Give up what may have the documents in hand: ingestions, open batches, half-built releases. Each is found again by its own DAG."""
    reason = f"given up for the erasure {erasure_id}"
    for ingest_id in ingest_runs.running(lake):
        ingest_runs.give_up(lake, ingest_id, reason)
    for row in batches.journal(lake).rows():
        if row["state"] in OPEN_STATES:
            log.warning("batch %s is %s: it is given up, and its documents are embedded by the next one", row["batch_id"], row["state"])
            drop_branches(lake, row["batch_id"])
            give_up(lake, row, reason)
    for row in Releases(lake).rows():
        if row["state"] == BUILDING:
            drop_release(lake, service, row["release_id"])


def _lifted(lake: Lake, wish: Wish) -> str:
    """Lift the tombstones, and let the files that were refused for them be read again."""
    count = tombstones.lift(lake, wish.doc_ids, wish.requested_by, wish.reason)
    refused = scan(lake.table(REJECTED_DOCUMENTS), reason_code=FORGOTTEN).to_arrow().to_pylist()
    for row in refused:
        if row["doc_id"] in wish.doc_ids:
            delete_rows(lake.table(SOURCE_FILES), source_uri=row["source_uri"])
            delete_rows(lake.table(REJECTED_DOCUMENTS), doc_id=row["doc_id"], reason_code=FORGOTTEN)
    return f"{count:,} tombstones are lifted: the next ingestion takes these documents again"
