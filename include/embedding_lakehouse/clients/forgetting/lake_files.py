"""Erase noted documents from all tables, and look for what is left of them in every file."""

import logging
from datetime import datetime
from typing import Any

from embedding_lakehouse.clients.forgetting.erasures import Notes, named
from embedding_lakehouse.clients.forgetting.holdings import is_in_statistics, listed, says
from embedding_lakehouse.clients.forgetting.release_snapshots import keep_all, keep_told, lead_on
from embedding_lakehouse.clients.forgetting.rewriting import Erasing
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.maintenance import WRITING
from embedding_lakehouse.clients.parts import remove_file, stored_files
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, Table

# The ledger says what is current, so it goes first; a release moves once both are done.
RECORD = (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS)
FILES, DONE = "files-", "done-"
FIGURES = ("rows", "snapshots_written", "snapshots_expired", "files_removed")

log = logging.getLogger(__name__)


def erase_from_tables(lake: Lake, erasure_id: str) -> None:
    """Rewrite the tables without the documents, lead the releases on, and remove for good what held them."""
    started_at = named(lake, erasure_id)["started_at"]
    keep_all(lake)
    keep_told(lake)
    record = [_rewritten(lake, erasure_id, declared) for declared in RECORD]
    moved = lead_on(lake, Notes(lake, erasure_id).forgotten())
    log.info("releases that stand at rewritten snapshots: %s", ", ".join(moved) or "none")
    for erasing, figures in record:
        _removed(lake, erasure_id, erasing, figures, started_at)
    for declared in ALL_TABLES:
        if declared not in RECORD:
            _removed(lake, erasure_id, *_rewritten(lake, erasure_id, declared), started_at)


def _rewritten(lake: Lake, erasure_id: str, declared: Table) -> tuple[Erasing, dict[str, int]]:
    notes = Notes(lake, erasure_id)
    known = notes.read(f"{FILES}{declared.name}", [])
    erasing = Erasing(lake, declared, notes.forgotten(), erasure_id, set(known))
    rows = erasing.find()
    if erasing.tainted:
        # Once the files are gone, nothing else tells which manifests still name them.
        notes.write(f"{FILES}{declared.name}", sorted(erasing.tainted))
    return erasing, {"rows": rows, "snapshots_written": erasing.rewrite()}


def _removed(lake: Lake, erasure_id: str, erasing: Erasing, figures: dict[str, int], started_at: datetime) -> None:
    expired, removed = erasing.expire() if erasing.tainted or erasing.lost else (0, 0)
    removed += _remove_unfinished(erasing, started_at)
    notes = Notes(lake, erasure_id)
    before = notes.read(f"{DONE}{erasing.name}", dict.fromkeys(FIGURES, 0))
    done = figures | {"snapshots_expired": expired, "files_removed": removed}
    notes.write(f"{DONE}{erasing.name}", {name: before[name] + done[name] for name in FIGURES})
    if any(done.values()):
        log.info("%s: %s", erasing.name, ", ".join(f"{count:,} {name}" for name, count in done.items()))


def _remove_unfinished(erasing: Erasing, started_at: datetime) -> int:
    """Remove parts that writers had not finished when the erasure began: what they hold cannot be read. A writer that lives fails by it."""
    table = erasing.table
    found = stored_files(table, table.location().rstrip("/"))
    left = [file.location for file in found if file.location.endswith(WRITING) and file.modified_at < started_at]
    for file in left:
        remove_file(table, file)
    return len(left)


def look_for_rest(lake: Lake, erasure_id: str) -> dict[str, Any]:
    """Read every file of the lake once more: how many files were read, and what is left of the documents, by table and kind."""
    notes = Notes(lake, erasure_id)
    forgotten = notes.forgotten()
    read, left, unfinished = dict.fromkeys(("parquet", "avro", "other"), 0), dict[str, int](), 0
    for declared in ALL_TABLES:
        erasing = Erasing(lake, declared, forgotten, erasure_id, set(notes.read(f"{FILES}{declared.name}", [])))
        table = erasing.table
        files, half_written = listed(table)
        parquet = [file for file in files if file.endswith(".parquet")]
        avro = [file for file in files if file.endswith(".avro")]
        other = [file for file in files if not file.endswith((".parquet", ".avro"))]
        rest = {
            "files that were to be removed": len(erasing.tainted & set(files)),
            "rows": erasing.find(),
            "statistics": sum(is_in_statistics(table, file, forgotten) for file in parquet),
            "snapshots": erasing.reached(),
            "manifests": erasing.manifests_left(avro),
            "other files": sum(says(table, file, forgotten) for file in other),
        }
        left |= {f"{kind} of {declared.name}": count for kind, count in rest.items() if count}
        read = {"parquet": read["parquet"] + len(parquet), "avro": read["avro"] + len(avro), "other": read["other"] + len(other)}
        unfinished += half_written
    return {"files_read": read, "files_half_written": unfinished, "left": left}


def done(lake: Lake, erasure_id: str) -> dict[str, dict[str, int]]:
    """What was done to each table, where anything was."""
    notes = Notes(lake, erasure_id)
    found = {table.name: notes.read(f"{DONE}{table.name}", {}) for table in ALL_TABLES}
    return {name: figures for name, figures in sorted(found.items()) if any(figures.values())}
