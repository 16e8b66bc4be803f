"""Fill the fresh namespace: each shard once, by upserts or as files for a bulk import, which is then followed without a worker."""

import logging
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients.fills import Fills
from embedding_lakehouse.clients.import_files import export_records, is_exported, remove_exported
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import CANCELLED, COMPLETED, FAILED, IndexService, Written, service_from_connection
from embedding_lakehouse.clients.record_writing import Figures, figures, while_open, write_records
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_changes import embedding_rows, planned_upserts
from embedding_lakehouse.clients.sync_plans import Shard
from embedding_lakehouse.core.rebuilds import IMPORT
from embedding_lakehouse.core.syncs import Sync, check_open
from embedding_lakehouse.errors import ConfigurationError, LakehouseError, NothingToDo

log = logging.getLogger(__name__)


def fill_shard(shard: Shard, lake: Lake | None = None, service: IndexService | None = None) -> Figures:
    """Write the shard's records, or export them for the import: what was sent. A shard that is finished is not written again.

    Raises ConflictError where the release was dropped or taken over meanwhile.
    """
    if not shard["upserts"]:
        return figures(Written())
    lake = lake or connect()
    sync = Sync(**shard["sync"])
    fills = Fills(lake, sync.sync_id)
    is_import = shard["method"] == IMPORT
    # Files that were exported for a run with another staging folder are no use to this one.
    if (done := fills.finished(shard["shard"])) and (not is_import or is_exported(lake, shard["uri"], sync, shard["shard"], done)):
        return done
    filled = _export(lake, shard, sync) if is_import else write_records(lake, service or service_from_connection(), shard)
    fills.finish(shard["shard"], filled)
    return filled


def _export(lake: Lake, shard: Shard, sync: Sync) -> Figures:
    rows = embedding_rows(lake, planned_upserts(lake, sync.sync_id, shard["shard"]))
    exported = export_records(lake, shard["uri"], sync, shard["shard"], settings.profile(sync.profile), while_open(lake, sync, rows))
    if exported["records"] != shard["upserts"]:
        planned = f"sync {sync.sync_id} planned {shard['upserts']} records for shard {shard['shard']}"
        raise LakehouseError(f"{planned} and exported {exported['records']}: run the task again")
    return exported


def start_import(shards: list[Shard], lake: Lake | None = None, service: IndexService | None = None) -> str:
    """Start the import of what was exported, or find the one that was started already; its id, which the release's row keeps.

    Raises NothingToDo where the release is filled by upserts, or was filled before.
    """
    first = next(iter(shards))
    lake = lake or connect()
    sync = Sync(**first["sync"])
    releases = Releases(lake)
    release = releases.named(sync.release_id)
    if first["method"] != IMPORT:
        raise NothingToDo("the release is filled by upserts")
    if release["versions_snapshot"] is not None:
        raise NothingToDo("the import was finished by an earlier run")
    check_open(releases.rows(), sync)
    index = (service or service_from_connection()).open(sync.index)
    import_id = index.start_import(first["uri"])
    releases.change(lambda rows: [row | {"import_id": import_id} for row in rows if row["release_id"] == sync.release_id])
    return import_id


def await_import(import_id: str, shards: list[Shard], lake: Lake | None = None, service: IndexService | None = None) -> bool:
    """Whether the import is finished. Raises ConfigurationError for one that failed or was cancelled, with what the service says of it."""
    sync = Sync(**next(iter(shards))["sync"])
    told = (service or service_from_connection()).open(sync.index).read_import(import_id)
    log.info("import %s of %s: %s, %.0f%%, %s records", import_id, told.uri, told.status, told.percent, told.records)
    if told.status in (FAILED, CANCELLED):
        raise ConfigurationError(
            f"the import {import_id} of {told.uri} is {told.status.lower()}: {told.error or 'no reason was given'}. Nothing was switched. "
            f"Mend the cause and trigger rebuild_index again, which goes on with {sync.release_id}, or with discard_building and "
            "method=upserts"
        )
    return told.status == COMPLETED


def record_fill(shards: list[Shard], lake: Lake | None = None) -> str:
    """Record what the release holds now, once; its id."""
    first = next(iter(shards))
    lake = lake or connect()
    sync = Sync(**first["sync"])
    releases = Releases(lake)
    if releases.named(sync.release_id)["versions_snapshot"] is None:
        total: dict[str, Any] = Fills(lake, sync.sync_id).total()
        releases.record_sync(
            sync,
            documents_changed=sync.document_count,
            records_upserted=total["records"],
            records_deleted=0,
            requests=total["requests"],
            bytes_sent=total["bytes"],
        )
    if first["method"] == IMPORT:
        remove_exported(lake, first["uri"])
    return sync.release_id
