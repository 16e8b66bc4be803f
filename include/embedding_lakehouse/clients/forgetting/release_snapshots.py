"""Releases after an erasure: each stands at the snapshots that took over from its own, with the records that are left of it."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients.iceberg import head_snapshot, rows_of_documents, tag_snapshot
from embedding_lakehouse.clients.keeping import told_snapshots
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.snapshots import led_tag, took_over
from embedding_lakehouse.core.checksums import checksum, combined
from embedding_lakehouse.core.forgetting import Forgotten
from embedding_lakehouse.core.releases import HELD, ReleaseRow, tag_name
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, Table
from embedding_lakehouse.errors import ConfigurationError

COLUMNS = ((DOCUMENT_VERSIONS, "versions_snapshot"), (DOCUMENT_EMBEDDINGS, "embeddings_snapshot"))
EVER = datetime.fromtimestamp(0, UTC)


def keep_all(lake: Lake) -> None:
    """Tag what every release holds, so that an erasure leads each on; what has expired of it is left as it is.

    A tag that leads to what took over from the release's snapshot stays: an erasure that was killed led it on already.
    """
    for row in _held(lake):
        if not all(_is_kept(lake, row, declared, column) for declared, column in COLUMNS):
            with suppress(ConfigurationError):
                Releases(lake).keep_snapshots(row["release_id"])


def _is_kept(lake: Lake, row: ReleaseRow, declared: Table, column: str) -> bool:
    table = lake.table(declared)
    ref = table.refs().get(tag_name(row["release_id"]))
    return ref is not None and (ref.snapshot_id == row[column] or took_over(table, ref.snapshot_id, row[column]))


def tags(lake: Lake, declared: Table) -> list[str]:
    """The tags of all releases, whether they are there or not, in a table that has such tags."""
    return [tag_name(row["release_id"]) for row in Releases(lake).rows()] if _columns(declared) else []


def standing(lake: Lake, declared: Table) -> set[int | None]:
    """The snapshots of the table at which releases stand, tagged or not."""
    return {row[column] for column in _columns(declared) for row in _held(lake)}


def _columns(declared: Table) -> list[str]:
    return [column for one, column in COLUMNS if one == declared]


def keep_told(lake: Lake) -> None:
    """Tag what releases ever held, as far as that is told, so that an erasure leads receipts on too; what has expired is left as it is.

    Maintenance sets these tags each day: what is younger has none, nor has what took the place of another in an earlier erasure. What is
    main now is what releases are led to next.
    """
    ledger = lake.table(DOCUMENT_VERSIONS)
    told = {led_tag(snapshot): snapshot for snapshot in told_snapshots(lake, EVER) | {head_snapshot(ledger).snapshot_id}}
    ledger.refresh()
    lacking = {tag: snapshot for tag, snapshot in sorted(told.items()) if tag not in ledger.refs() and ledger.snapshot_by_id(snapshot)}
    for tag, snapshot in lacking.items():
        with suppress(ConfigurationError):
            tag_snapshot(ledger, tag, snapshot)


def lead_on(lake: Lake, forgotten: Forgotten) -> list[str]:
    """Let each release stand where its tags lead now; those that moved. Until then the snapshots they stood at must be there.

    A tag that leads elsewhere than to what took over is about to be moved, by whoever recorded a sync in this moment.
    """
    return [row["release_id"] for row in _held(lake) if _lead(lake, row, forgotten)]


def _held(lake: Lake) -> list[ReleaseRow]:
    return [row for row in Releases(lake).rows() if row["state"] in HELD and row["versions_snapshot"] is not None]


def _lead(lake: Lake, row: ReleaseRow, forgotten: Forgotten) -> bool:
    tag, moved = tag_name(row["release_id"]), dict[str, Any]()
    for declared, column in COLUMNS:
        table = lake.table(declared)
        ref = table.refs().get(tag)
        if ref and row[column] is not None and took_over(table, ref.snapshot_id, row[column]):
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
