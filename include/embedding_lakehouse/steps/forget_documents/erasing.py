"""Erase what the notes name: from every file of every table, then from every release's namespace. Each may run again."""

import logging

from embedding_lakehouse.clients.forgetting.erasures import Notes, named
from embedding_lakehouse.clients.forgetting.index_records import erase_records
from embedding_lakehouse.clients.forgetting.lake_files import erase_from_tables
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.core.forgetting import BEGUN

RECORDS = "records"

log = logging.getLogger(__name__)


def erase_tables(erasure_id: str, lake: Lake | None = None) -> str:
    """Rewrite every table without the documents, lead the releases on, remove the old files; the erasure's id.

    Raises ConflictError where a table changes too often: what is done stays done.
    """
    lake = lake or connect()
    if named(lake, erasure_id)["state"] == BEGUN:
        erase_from_tables(lake, erasure_id)
    return erasure_id


def erase_index(erasure_id: str, lake: Lake | None = None, service: IndexService | None = None) -> str:
    """Remove the documents' records from every release; the erasure's id. Raises NotVisible where the index still answers one."""
    lake = lake or connect()
    if named(lake, erasure_id)["state"] == BEGUN:
        notes = Notes(lake, erasure_id)
        erased = erase_records(lake, service or service_from_connection(), notes.forgotten())
        before = notes.read(RECORDS, {})
        notes.write(RECORDS, {name: max(count, count + before.get(name, 0)) for name, count in erased.items()})
        log.info("records removed: %s", ", ".join(f"{name} {count}" for name, count in erased.items()) or "there is no release")
    return erasure_id
