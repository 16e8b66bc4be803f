"""Releases after an erasure: each stands at the snapshots that took over from its own, with the records that are left of it."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients.iceberg import head_snapshot, rows_of_documents, tag_snapshot
from embedding_lakehouse.clients.keeping import told_snapshots
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.snapshots import led_tag
from embedding_lakehouse.core.checksums import checksum, combined
from embedding_lakehouse.core.forgetting import Forgotten
from embedding_lakehouse.core.releases import HELD, ReleaseRow
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.errors import ConfigurationError

COLUMNS = ((DOCUMENT_VERSIONS, "versions_snapshot"), (DOCUMENT_EMBEDDINGS, "embeddings_snapshot"))
EVER = datetime.fromtimestamp(0, UTC)


def keep_all(lake: Lake) -> None:
    """Tag what every release holds, and what it ever held as far as that is told, so that an erasure leads each on; for receipts too.

    What has expired is left as it is. A tag that is there stays: an erasure that was killed may have led it on already.
    """
    for row in _held(lake):
        tag = f"release-{row['release_id']}"
        if all(tag in lake.table(declared).refs() for declared, _ in COLUMNS):
            continue
        with suppress(ConfigurationError):
            Releases(lake).keep_snapshots(row["release_id"])
    _keep_told(lake)


def _keep_told(lake: Lake) -> None:
    # Maintenance sets these tags each day: what is younger has none, nor has what took the place of another in an earlier erasure. What
    # is main now is what releases are led to next.
    ledger = lake.table(DOCUMENT_VERSIONS)
    told = {led_tag(snapshot): snapshot for snapshot in told_snapshots(lake, EVER) | {head_snapshot(ledger).snapshot_id}}
    ledger.refresh()
    lacking = {tag: snapshot for tag, snapshot in sorted(told.items()) if tag not in ledger.refs() and ledger.snapshot_by_id(snapshot)}
    for tag, snapshot in lacking.items():
        with suppress(ConfigurationError):
            tag_snapshot(ledger, tag, snapshot)


def lead_on(lake: Lake, forgotten: Forgotten) -> list[str]:
    """Let each release stand where its tags lead now; those that moved. Until then the snapshots they stood at must be there."""
    return [row["release_id"] for row in _held(lake) if _lead(lake, row, forgotten)]


def _held(lake: Lake) -> list[ReleaseRow]:
    return [row for row in Releases(lake).rows() if row["state"] in HELD and row["versions_snapshot"] is not None]


def _lead(lake: Lake, row: ReleaseRow, forgotten: Forgotten) -> bool:
    tag, moved = f"release-{row['release_id']}", dict[str, Any]()
    for declared, column in COLUMNS:
        ref = lake.table(declared).refs().get(tag)
        if ref and row[column] is not None and ref.snapshot_id != row[column]:
            moved[column] = ref.snapshot_id
    if not moved:
        return False
    if "versions_snapshot" in moved:
        gone = _records(lake, row, forgotten)
        moved["record_count"] = row["record_count"] - len(gone)
        moved["id_checksum"] = combined(row["id_checksum"], checksum([], gone)) if row["id_checksum"] else None

    def decide(rows: list[ReleaseRow]) -> list[ReleaseRow]:
        same = [one for one in rows if one["release_id"] == row["release_id"]]
        return [one | moved | {"updated_at": datetime.now(UTC)} for one in same if all(one[name] == row[name] for _, name in COLUMNS)]

    return bool(Releases(lake).change(decide))


def _records(lake: Lake, row: ReleaseRow, forgotten: Forgotten) -> set[str]:
    """The ids of the records of the documents that the release held."""
    columns = ("doc_id", "profile", "batch_number", "is_deleted", "chunk_ids")
    versions = rows_of_documents(lake.table(DOCUMENT_VERSIONS), forgotten.doc_ids, columns, row["versions_snapshot"])
    own = [version for version in versions if version["profile"] == row["profile"]]
    latest = {version["doc_id"]: version for version in sorted(own, key=lambda version: version["batch_number"])}
    return {chunk for version in latest.values() if not version["is_deleted"] for chunk in version["chunk_ids"] or ()}
