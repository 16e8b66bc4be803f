"""Look for what is left of the documents in every file and every namespace, and erase it, until nothing is."""

import logging
from typing import Any

from embedding_lakehouse.clients.forgetting import lake_files
from embedding_lakehouse.clients.forgetting.erasures import Notes, named
from embedding_lakehouse.clients.forgetting.index_records import erase_records, records_left
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.core.forgetting import BEGUN
from embedding_lakehouse.errors import AuditFailed

# What other writers had in hand when the erasure began can come after it, once.
ROUNDS = 3

log = logging.getLogger(__name__)


def check_erasure(erasure_id: str, lake: Lake | None = None, service: IndexService | None = None) -> dict[str, Any]:
    """Read every remaining file and ask every namespace; the evidence, as counts. What is found is erased and looked for again.

    Raises AuditFailed, which says what is left and where, after three rounds.
    """
    lake, service = lake or connect(), service or service_from_connection()
    if named(lake, erasure_id)["state"] != BEGUN:
        return {}
    evidence: dict[str, Any] = {}
    for _ in range(ROUNDS):
        evidence = lake_files.look_for_rest(lake, erasure_id)
        records = records_left(lake, service, Notes(lake, erasure_id).forgotten())
        evidence["releases_asked"] = sorted(records)
        left = evidence["left"] | {f"records of release {name}": count for name, count in records.items() if count}
        if not left:
            return evidence
        log.warning("what is left is erased once more: %s", left)
        lake_files.erase_from_tables(lake, erasure_id)
        erase_records(lake, service, Notes(lake, erasure_id).forgotten())
    raise AuditFailed(
        f"after {ROUNDS} rounds the erasure {erasure_id} still finds {', '.join(f'{count} {what}' for what, count in left.items())}: stop "
        "what writes these documents, then clear this task"
    )
