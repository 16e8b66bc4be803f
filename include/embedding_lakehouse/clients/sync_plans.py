"""Plan what leads a release from one state of the lake to another: measured and written in SQL, cut into shards, noted at the release."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Operation

from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.forgetting.tombstones import check_sync
from embedding_lakehouse.clients.iceberg import ancestors, batch_properties, delete_rows, head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.batches import hash_range, new_batch_id, shard_count
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.core.syncs import Sync, batches_to_follow
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SYNC_CHANGES
from embedding_lakehouse.errors import ConfigurationError, ConflictError

SHARD_RECORDS = 20_000
MOST_SHARDS = 64
# Chunks that one statement compares: with the names of their files they take 0.4 GB of the engine's memory (0.73 GB for a million).
SLICE_CHUNKS = 500_000

# Batches that a statement lists; a release that is behind by more is compared as a whole.
MOST_FOLLOWED = 500

Shard = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Span:
    """The pinned snapshots of both tables: what the release holds (None for an empty one), and what the lake holds now."""

    versions_before: int | None
    versions_after: int
    embeddings_before: int | None
    embeddings_after: int
    rows_may_be_lost: bool

    @property
    def names(self) -> dict[str, int]:
        """The snapshots as the statements name them; an empty release borrows the later ones, which its binds then leave out."""
        return {
            "versions_before": self.versions_before or self.versions_after,
            "versions_after": self.versions_after,
            "embeddings_before": self.embeddings_before or self.embeddings_after,
            "embeddings_after": self.embeddings_after,
        }


def plan_changes(lake: Lake, profile: Profile, release: ReleaseRow, span: Span, dag_id: str, run_id: str) -> Sync | None:
    """Write the changes that lead the release along the span into `sync_changes`; None where it stands there already.

    Where the ledger only got more batches, the documents of these are compared, otherwise both states as wholes. The sync may write once
    `open_plan` noted it. Raises ConflictError where the lake moved in this very moment.
    """
    unrecorded = list(release["open_syncs"] or [])
    if span.versions_before == span.versions_after and not unrecorded:
        return None
    followed = _batches_to_follow(lake, profile, release, span)
    if followed == []:
        return None
    sync = new_sync(release, span, 0, dag_id, run_id)
    if followed and (grown := _follow(lake, profile, span, sync, tuple(followed))) is not None:
        log.info("release %s follows %d batches", release["release_id"], len(followed))
        return replace(sync, record_count=release["record_count"] + grown)
    if span.versions_before is not None:
        log.info("release %s is compared with the lake as a whole", release["release_id"])
    chunk_count, record_count = measure(lake, profile, span, unrecorded)
    if not chunk_count and not unrecorded:
        return None
    _write_plan(lake, profile, span, sync, chunk_count)
    return replace(sync, record_count=record_count)


def _batches_to_follow(lake: Lake, profile: Profile, release: ReleaseRow, span: Span) -> list[str] | None:
    """The profile's batches that are all that the release is behind; None where that is not known."""
    if span.versions_before is None or span.rows_may_be_lost or release["open_syncs"] or release["record_count"] is None:
        return None
    added = _added_batches(lake.table(DOCUMENT_VERSIONS), span.versions_before, span.versions_after)
    followed = None if added is None else batches_to_follow(journal(lake).rows(), profile.name, added)
    return followed if followed is None or len(followed) <= MOST_FOLLOWED else None


def _added_batches(table: IcebergTable, before: int, after: int) -> set[str] | None:
    """The ids of the batches whose rows a snapshot has more than an ancestor; None where more than these may differ, or is not known.

    Rewritten files hold the same rows. Anything else that came in between, or that is no batch's, and expired snapshots lead to None.
    """
    found = set[str]()
    for snapshot in ancestors(table, after):
        if snapshot.snapshot_id == before:
            return found
        operation = snapshot.summary.operation if snapshot.summary else None
        if operation == Operation.REPLACE:
            continue
        batch_id = batch_properties(snapshot).get("batch_id")
        if operation != Operation.APPEND or batch_id is None:
            return None
        found.add(batch_id)
    return None


def _follow(lake: Lake, profile: Profile, span: Span, sync: Sync, batch_ids: tuple[str, ...]) -> int | None:
    """Write the changes that these batches make; by how many records the release grows.

    None, and nothing stays written, where they need a row that an earlier batch made, as for a document that got back an earlier text.
    """
    names = {name: snapshot for name, snapshot in span.names.items() if name != "embeddings_before"}
    ledger = [profile.name, batch_ids, profile.name, profile.name, batch_ids]
    (chunk_count,) = lake.sql.row("changes/measure_sync_of_batches", ledger, **names)
    shards = shard_count(chunk_count, SHARD_RECORDS, MOST_SHARDS)
    for bounds in slices(chunk_count):
        rows = [*bounds, profile.model_version, profile.name, batch_ids]
        lake.sql.execute("changes/plan_sync_of_batches", [*ledger, *rows, sync.sync_id, shards], **names)
    found = lake.sql.rows("changes/sum_up_sync", [sync.sync_id, sync.sync_id])
    if any(missing for *_, missing, _, _ in found):
        delete_rows(lake.table(SYNC_CHANGES), sync_id=sync.sync_id)
        return None
    return sum(new - deletes for _, _, _, deletes, new, *_ in found)


def new_sync(release: ReleaseRow, span: Span, record_count: int, dag_id: str, run_id: str) -> Sync:
    """A sync of the release along the span, under a new id; nothing of it is written yet."""
    return Sync(
        sync_id=new_batch_id(datetime.now(UTC)),
        **{key: release[key] for key in ("profile", "release_id", "index_name", "dimension", "metric", "namespace")},
        versions_before=span.versions_before,
        versions_after=span.versions_after,
        embeddings_after=span.embeddings_after,
        covers=list(release["open_syncs"] or []),
        document_count=0,
        record_count=record_count,
        dag_id=dag_id,
        run_id=run_id,
        started_at=datetime.now(UTC).isoformat(),
    )


def pin(lake: Lake, release: ReleaseRow) -> Span:
    """The snapshots between which the release is to be led; one that is pinned is led nowhere, from its moment to the same.

    The ledger is read first, since publishing moves the embeddings first.
    """
    versions_before, embeddings_before = release["versions_snapshot"], release["embeddings_snapshot"]
    if release["is_pinned"]:
        require_held(lake, release)
        return Span(versions_before, versions_before, embeddings_before, embeddings_before, False)
    versions = lake.table(DOCUMENT_VERSIONS)
    embeddings = lake.table(DOCUMENT_EMBEDDINGS)
    versions_after, embeddings_after = head_snapshot(versions).snapshot_id, head_snapshot(embeddings).snapshot_id
    if versions_before is not None and versions_before != versions_after:
        require_held(lake, release)
    lineage = {snapshot.snapshot_id for snapshot in ancestors(embeddings, embeddings_after)}
    rows_may_be_lost = embeddings_before is not None and embeddings_before not in lineage
    return Span(versions_before, versions_after, embeddings_before, embeddings_after, rows_may_be_lost)


def require_held(lake: Lake, release: ReleaseRow) -> None:
    """Raise ConfigurationError where a snapshot that the release holds has expired."""
    for declared, column in ((DOCUMENT_VERSIONS, "versions_snapshot"), (DOCUMENT_EMBEDDINGS, "embeddings_snapshot")):
        if lake.table(declared).snapshot_by_id(release[column]) is None:
            raise ConfigurationError(
                f"the snapshot {release[column]} of {declared.name}, which release {release['release_id']} holds, has expired, so its "
                "difference to the lake is not known any more: run the DAG rebuild_index, which fills a fresh namespace from the lake"
            )


def measure(lake: Lake, profile: Profile, span: Span, unrecorded: list[str]) -> tuple[int, int]:
    """Chunks that the documents which differ have in both states, and the records of the later state."""
    has_before, covers = span.versions_before is not None, ",".join(unrecorded)
    binds = [profile.name, has_before, profile.name, covers]
    names = {name: snapshot for name, snapshot in span.names.items() if name.startswith("versions")}
    chunk_count, record_count = lake.sql.row("changes/measure_sync", binds, **names)
    return chunk_count, record_count


def slices(chunk_count: int) -> list[tuple[str, str]]:
    """The ranges of chunk ids by which statements work through so many chunks, about SLICE_CHUNKS in each; one at least."""
    count = max(1, ceil(chunk_count / SLICE_CHUNKS))
    return [hash_range(number, count) for number in range(count)]


def _write_plan(lake: Lake, profile: Profile, span: Span, sync: Sync, chunk_count: int) -> None:
    shards = shard_count(chunk_count, SHARD_RECORDS, MOST_SHARDS)
    has_before, covers = span.versions_before is not None, ",".join(sync.covers)
    for bounds in slices(chunk_count):
        binds = [
            *(profile.name, has_before, profile.name, covers),
            *(profile.name, has_before, profile.name, *bounds),
            *(covers, *bounds),
            *(profile.model_version, profile.name, span.rows_may_be_lost, profile.model_version, profile.name),
            *(sync.sync_id, shards),
        ]
        lake.sql.execute("changes/plan_sync", binds, **span.names)


def open_plan(lake: Lake, sync: Sync) -> list[Shard]:
    """The shards of the written plan, once its release has noted that the sync may write; none for an empty plan."""
    shards = written_shards(lake, sync)
    if shards:
        Releases(lake).open_sync(Sync(**shards[0]["sync"]))
    return shards


def written_shards(lake: Lake, sync: Sync) -> list[Shard]:
    """The shards of the written plan. Raises ConflictError where a record that it is to write has no row, or its document was forgotten."""
    rows = lake.sql.rows("changes/sum_up_sync", [sync.sync_id, sync.sync_id])
    for *_, missing, doc_id, chunk_id in rows:
        if missing:
            raise ConflictError(
                f"{missing} current chunks have no usable row in {DOCUMENT_EMBEDDINGS.name}, such as {chunk_id} of document {doc_id!r}: "
                + _way_on(Releases(lake).named(sync.release_id))
            )
    if not rows:
        return []
    check_sync(lake, sync.sync_id)
    keys = replace(sync, document_count=rows[0][1]).as_keys()
    return [{"shard": shard, "upserts": upserts, "deletes": deletes, "sync": keys} for shard, _, upserts, deletes, *_ in rows]


def _way_on(release: ReleaseRow) -> str:
    if release["is_pinned"]:
        return (
            f"the release {release['release_id']} is pinned to a moment of which a batch was rejected since: trigger rebuild_index with "
            "another moment, or switch_release"
        )
    return "the lake was just being published or rolled back, run sync_index again; where it stays so, embed the document again"
