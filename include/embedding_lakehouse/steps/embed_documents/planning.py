"""Find what changed since the last published batch, bound it to a batch, and price it once it is chunked."""

import logging
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import append_once, commit_files, drop_branch, head_snapshot, tag_snapshot
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.core.batches import (
    DISCARDED,
    PLANNED,
    PRICED,
    BatchRow,
    branch_name,
    check_deletes,
    check_embeds,
    check_fingerprint,
    check_resumable,
    latest_published,
    new_batch_id,
    open_batch,
    shard_count,
)
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tables import (
    BATCH_CHUNKS,
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    SOURCE_DOCUMENTS,
)
from embedding_lakehouse.errors import InputError, PlanOvertaken
from embedding_lakehouse.steps.embed_documents.accepting import accept_checks

Changes = dict[str, Any]
Shard = dict[str, Any]

logger = logging.getLogger(__name__)


def detect_changes(profile_name: str, lake: Lake | None = None) -> Changes:
    """Count the documents that differ from what was last published: `new`, `changed`, `deleted`, `unchanged`.

    Source rows without a doc_id are left out and counted as `nameless`.

    The snapshots that were compared go along as `source_snapshot` and `versions_snapshot`, the batch last published as `latest_batch`.
    Raises ConfigurationError for an unknown profile, or one whose settings changed under the same version.
    """
    lake = lake or connect()
    profile = settings.profile(profile_name)
    source = head_snapshot(lake.table(SOURCE_DOCUMENTS))
    begun = batches.journal(lake).rows()
    check_fingerprint(begun, profile)
    latest = latest_published(begun, profile.name)
    pinned = {
        "source_snapshot": source.snapshot_id,
        "source_sequence_number": source.sequence_number or 0,
        "versions_snapshot": head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id,
    }
    *counts, nameless = lake.sql.row("changes/count_document_changes", (profile.name,), **_names(pinned))
    if nameless:
        logger.warning("%s rows of %s have no doc_id and are left out: give each its own", nameless, SOURCE_DOCUMENTS.name)
    counted = dict(zip(("new", "changed", "deleted", "unchanged"), counts, strict=True)) | {"nameless": nameless}
    return counted | pinned | {"latest_batch": latest["batch_id"] if latest else None}


def plan_batch(
    profile_name: str,
    changes: Changes,
    dag_id: str,
    run_id: str,
    allow_deletes: bool = False,
    discard_open: bool = False,
    lake: Lake | None = None,
    asked: dict[str, Any] | None = None,
    run: Any = None,
) -> list[Shard]:
    """Resume the profile's open batch, or plan the next one; its document shards as keys. Nothing to do is no shard.

    Raises ApprovalRequired where more documents are gone than may be deleted without consent, InputError where `asked`
    has `accept_checks` that the open batch may not be let through for; who triggered the `run` is recorded as who accepts them.
    """
    lake = lake or connect()
    profile = settings.profile(profile_name)
    planned = open_batch(batches.journal(lake).rows(), profile.name)
    if planned:
        check_embeds(planned)
    if asked and asked["accept_checks"]:
        if discard_open:
            raise InputError("accept_checks lets the open batch pass, discard_open gives it up: choose one of them")
        by = (run and run.triggering_user_name) or run_id
        accept_checks(lake, planned, asked["accept_checks"], asked["accept_reason"], by)
    if planned and discard_open:
        discard_batch(lake, planned, f"discarded by run {run_id}")
        planned = None
    if planned:
        check_resumable(planned, profile)
        batches.take_over(lake, planned["batch_id"], dag_id, run_id)
    else:
        run_keys = {"dag_id": dag_id, "run_id": run_id}
        try:
            planned = _plan_next(lake, profile, changes, allow_deletes, run_keys)
        except PlanOvertaken as overtaken:
            logger.warning("%s; they are counted again", overtaken)
            planned = _plan_next(lake, profile, detect_changes(profile.name, lake), allow_deletes, run_keys)
    return [{"batch_id": planned["batch_id"], "shard": shard} for shard in range(planned["document_shards"])] if planned else []


def _plan_next(lake: Lake, profile: Profile, changes: Changes, allow_deletes: bool, run: dict[str, str]) -> BatchRow | None:
    waiting = changes["new"] + changes["changed"] + changes["deleted"]
    if not waiting:
        return None
    current = changes["unchanged"] + changes["changed"] + changes["deleted"]
    check_deletes(changes["deleted"], current, profile.batch, allow_deletes)
    batch_id = new_batch_id(datetime.now(UTC))
    # Receipts lead to this snapshot for as long as the batch's vectors are kept.
    tag_snapshot(lake.table(SOURCE_DOCUMENTS), f"source-{changes['source_snapshot']}", changes["source_snapshot"])
    shards = shard_count(min(waiting, profile.batch.documents), profile.batch.shard_documents, profile.batch.most_shards)
    binds = (profile.name, profile.batch.documents, batch_id, shards)
    lake.sql.execute("plans/plan_documents", binds, **_names(changes))
    new, changed, deleted = lake.sql.row("plans/count_planned_documents", (batch_id,))
    return batches.begin(
        lake,
        profile,
        {
            "batch_id": batch_id,
            "profile": profile.name,
            "profile_fingerprint": profile.fingerprint,
            "model_name": profile.model_name,
            "model_version": profile.model_version,
            "source_snapshot": changes["source_snapshot"],
            "source_sequence_number": changes["source_sequence_number"],
            "documents_new": new,
            "documents_changed": changed,
            "documents_deleted": deleted,
            "documents_remaining": waiting - new - changed - deleted,
            "document_shards": shards,
        }
        | run,
        after=changes["latest_batch"],
    )


def price_batch(chunked: list[dict[str, Any]], lake: Lake | None = None) -> list[Shard]:
    """Register the chunked shards, find what can be reused, and price the rest; the batch's embedding shards as keys."""
    lake = lake or connect()
    batch_id = chunked[0]["batch_id"]
    row = batches.batch(lake, batch_id)
    if row["state"] == PLANNED:
        row = _price(lake, row, chunked)
    return [{"batch_id": batch_id, "shard": shard, "shards": row["embedding_shards"]} for shard in range(row["embedding_shards"])]


def _price(lake: Lake, row: BatchRow, chunked: list[dict[str, Any]]) -> BatchRow:
    batch_id, profile = row["batch_id"], settings.profile_of(row)
    marks = {"batch_id": batch_id}
    append_once(lake.table(BATCH_CHUNKS), [file for shard in chunked for file in shard["chunk_files"]], marks)
    versions = [file for shard in chunked for file in shard["version_files"]]
    commit_files(lake.table(DOCUMENT_VERSIONS), branch_name(batch_id), versions, marks)
    embeddings_snapshot = head_snapshot(lake.table(DOCUMENT_EMBEDDINGS)).snapshot_id
    binds = (batch_id, profile.model_version, profile.fingerprint, batch_id)
    # Adds to what an earlier try found and removes nothing: a late try would take it from the embedding tasks.
    lake.sql.execute("plans/plan_reuse", binds, embeddings_snapshot=embeddings_snapshot)
    planned, kept, copied, texts, tokens = lake.sql.row("plans/price_batch", (batch_id, batch_id))
    return batches.move(
        lake,
        batch_id,
        PRICED,
        chunks_planned=planned,
        chunks_kept=kept,
        chunks_copied=copied,
        chunks_embedded=planned - kept - copied,
        texts_embedded=texts,
        tokens_estimated=tokens,
        price_estimated=profile.usd_for(tokens, texts),
        embedding_shards=shard_count(tokens, profile.batch.shard_tokens, profile.batch.most_shards),
    )


def discard_batch(lake: Lake, row: BatchRow, reason: str) -> None:
    """Give up an open batch: its branches go, its documents are found again by the next plan."""
    for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS):
        drop_branch(lake.table(table), branch_name(row["batch_id"]))
    batches.move(lake, row["batch_id"], DISCARDED, message=reason)


def _names(changes: Changes) -> dict[str, int]:
    return {"source_snapshot": changes["source_snapshot"], "versions_snapshot": changes["versions_snapshot"]}
