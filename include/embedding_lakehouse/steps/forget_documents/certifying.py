"""Certify an erasure: what was erased, how it was checked, what is out of reach. Then its notes go, the last that name the documents."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients.forgetting import erasures, lake_files, tombstones
from embedding_lakehouse.clients.forgetting.erasures import Notes
from embedding_lakehouse.clients.forgetting.purchases import withdrawn
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.parts import write_note
from embedding_lakehouse.core.erasures import UNREACHABLE
from embedding_lakehouse.core.forgetting import BEGUN, CERTIFIED, FINISHED, salted
from embedding_lakehouse.core.forgetting_tables import ERASURES
from embedding_lakehouse.steps.forget_documents.erasing import RECORDS

MOST_HASHES = 10_000

log = logging.getLogger(__name__)


def certify_erasure(erasure_id: str, evidence: dict[str, Any], lake: Lake | None = None) -> dict[str, Any]:
    """Write the certificate into `docs_db.erasures` and beside it as a file, remove the notes; the certificate, with its `stored_at`."""
    lake = lake or connect()
    row = erasures.named(lake, erasure_id)
    if row["state"] == BEGUN:
        certificate = _certificate(lake, row, evidence)
        row = erasures.move(lake, erasure_id, state=CERTIFIED, certificate=json.dumps(certificate, ensure_ascii=False))
    table = lake.table(ERASURES)
    stored_at = f"{table.location().rstrip('/')}/certificates/{erasure_id}.json"
    write_note(table, stored_at, row["certificate"])
    if row["state"] == CERTIFIED:
        Notes(lake, erasure_id).remove()
        erasures.move(lake, erasure_id, state=FINISHED, finished_at=datetime.now(UTC))
    log.info("The certificate, also in %s and in docs_db.erasures:\n%s", stored_at, row["certificate"])
    return json.loads(row["certificate"]) | {"stored_at": stored_at}


def _certificate(lake: Lake, row: dict[str, Any], evidence: dict[str, Any]) -> dict[str, Any]:
    notes, salt = Notes(lake, row["erasure_id"]), tombstones.in_force(lake).salt
    bought = withdrawn(lake, row["erasure_id"])
    return {
        "erasure_id": row["erasure_id"],
        "requested_by": row["requested_by"],
        "approved_by": row["approved_by"],
        "reason": row["reason"],
        "run_id": row["run_id"],
        "started_at": row["started_at"].isoformat(),
        "certified_at": datetime.now(UTC).isoformat(),
        "document_count": row["document_count"],
        "hash": "SHA-256 hex of salt || '||' || doc_id",
        "salt": salt,
        "document_hashes": sorted(salted(salt, doc_id) for doc_id in notes.forgotten().doc_ids)[:MOST_HASHES],
        "tables": lake_files.done(lake, row["erasure_id"]),
        "records_removed": notes.read(RECORDS, {}),
        "checked": evidence,
        "purchases_in_bulk": bought.as_note(),
        "out_of_reach": [*UNREACHABLE, *bought.out_of_reach, *_half_written(evidence)],
    }


def _half_written(evidence: dict[str, Any]) -> list[str]:
    count = evidence.get("files_half_written", 0)
    said = "files that writers had not finished, or that killed ones left half-written: maintain_tables removes these after orphan_days"
    return [f"{count} {said}"] if count else []
