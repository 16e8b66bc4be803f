"""Find what changed since the last published batch, bound it to a batch, and price it once it is chunked: the plan that is approved."""

import logging
from datetime import UTC, datetime
from typing import Any, NamedTuple

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches, metrics
from embedding_lakehouse.clients.forgetting.tombstones import returned
from embedding_lakehouse.clients.iceberg import append_once, commit_files, head_snapshot, tag_snapshot
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.snapshots import source_tag
from embedding_lakehouse.clients.staged_batches import drop_branches, give_up, making_branches
from embedding_lakehouse.core.batches import (
    DISCARDED,
    PLANNED,
    PRICED,
    BatchRow,
    branch_name,
    check_embeds,
    check_fingerprint,
    check_resumable,
    latest_published,
    new_batch_id,
    open_batch,
    shard_count,
)
from embedding_lakehouse.core.plans import LargeDocument, approval_reasons, check_budget, description, estimated_seconds, spent
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tables import (
    BATCH_CHUNKS,
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    SOURCE_DOCUMENTS,
)
from embedding_lakehouse.errors import BudgetExceeded, ConflictError, InputError, LakehouseError, NothingToDo, PlanOvertaken
from embedding_lakehouse.steps.embed_documents.accepting import accept_checks

Changes = dict[str, Any]
Shard = dict[str, Any]

logger = logging.getLogger(__name__)


def detect_changes(profile_name: str, lake: Lake | None = None) -> Changes:
    """Count the documents that differ from what was last published: `new`, `changed`, `deleted`, `unchanged`.

    Source rows without a doc_id are left out and counted as `nameless`; forgotten documents are left out wherever they are.

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
    refused = returned(lake, **_names(pinned))
    *counts, nameless = lake.sql.row("changes/count_document_changes", (refused, profile.name, refused), **_names(pinned))
    if nameless:
        logger.warning("%s rows of %s have no doc_id and are left out: give each its own", nameless, SOURCE_DOCUMENTS.name)
    counted = dict(zip(("new", "changed", "deleted", "unchanged"), counts, strict=True)) | {"nameless": nameless}
    metrics.report(profile.name, {"documents.waiting": counted["new"] + counted["changed"] + counted["deleted"]})
    return counted | pinned | {"latest_batch": latest["batch_id"] if latest else None}


def plan_batch(
    profile_name: str,
    changes: Changes,
    dag_id: str,
    run_id: str,
    discard_open: bool = False,
    lake: Lake | None = None,
    asked: dict[str, Any] | None = None,
    run: Any = None,
) -> list[Shard]:
    """Resume the profile's open batch, or plan the next one; its document shards as keys. Nothing to do is no shard.

    A dry run (`asked`) only looks at an open batch. Raises InputError where `asked` has `accept_checks` that the open batch may not be
    let through for; who triggered the `run` is recorded as who accepts them.
    """
    lake = lake or connect()
    profile = settings.profile(profile_name)
    planned = open_batch(batches.journal(lake).rows(), profile.name)
    if planned:
        check_embeds(planned)
    if planned and asked and asked.get("dry_run"):
        check_resumable(planned, profile)
        return _document_shards(planned)
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
            planned = _plan_next(lake, profile, changes, run_keys)
        except PlanOvertaken as overtaken:
            logger.warning("%s; they are counted again", overtaken)
            planned = _plan_next(lake, profile, detect_changes(profile.name, lake), run_keys)
    return _document_shards(planned) if planned else []


def _document_shards(row: BatchRow) -> list[Shard]:
    return [{"batch_id": row["batch_id"], "shard": shard} for shard in range(row["document_shards"])]


def _plan_next(lake: Lake, profile: Profile, changes: Changes, run: dict[str, str]) -> BatchRow | None:
    waiting = changes["new"] + changes["changed"] + changes["deleted"]
    if not waiting:
        return None
    batch_id = new_batch_id(datetime.now(UTC))
    # Receipts lead to this snapshot for as long as the batch's vectors are kept.
    tag_snapshot(lake.table(SOURCE_DOCUMENTS), source_tag(changes["source_snapshot"]), changes["source_snapshot"])
    shards = shard_count(min(waiting, profile.batch.documents), profile.batch.shard_documents, profile.batch.most_shards)
    refused = returned(lake, **_names(changes))
    binds = (refused, profile.name, refused, profile.batch.documents, batch_id, shards)
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
            "documents_current": changes["unchanged"] + changes["changed"] + changes["deleted"],
            "documents_gone": changes["deleted"],
            "document_shards": shards,
        }
        | run,
        after=changes["latest_batch"],
    )


class Priced(NamedTuple):
    """A priced batch: its embedding shards as keys, the plan as a person reads it, and whether somebody must approve it."""

    shards: list[Shard]
    description: str
    needs_approval: bool


def price_batch(
    chunked: list[dict[str, Any]],
    allow_deletes: bool = False,
    dry_run: bool = False,
    run_id: str = "",
    lake: Lake | None = None,
) -> Priced:
    """Register the chunked shards, find what can be reused, and price the rest: the plan is complete and stays as it is.

    Raises BudgetExceeded where the profile may not spend that much, and NothingToDo after a dry run; the batch that this run began is
    given up then, and nothing of it was embedded. Raises ConflictError, and leaves no branch, for a batch that was given up before.
    """
    lake = lake or connect()
    batch_id = chunked[0]["batch_id"]
    row = batches.batch(lake, batch_id)
    if row["state"] == DISCARDED:
        raise ConflictError(f"batch {batch_id} was given up ({row['message']}): trigger embed_documents, which plans its documents anew")
    if row["state"] not in (PLANNED, PRICED):
        return Priced(_embedding_shards(row), f"Batch {batch_id} is {row['state']}: its texts are embedded.", needs_approval=False)
    profile = settings.profile_of(row)
    with making_branches(lake, batch_id):
        if row["state"] == PLANNED:
            _register(lake, row, profile, chunked)
        return _priced(lake, row, profile, allow_deletes, run_id if dry_run else None)


def _priced(lake: Lake, row: BatchRow, profile: Profile, allow_deletes: bool, dry_run_id: str | None) -> Priced:
    """Price a batch whose chunks are registered; of a dry run, by its id, nothing but the plan comes of it."""
    rows = batches.journal(lake).rows()
    figures, largest = _figures(lake, row, rows, profile)
    figures["approval_reasons"] = approval_reasons(row | figures, profile, allow_deletes) or None
    priced = row | figures
    told = description(priced, profile, largest, spent([priced, *_others(rows, row)], profile.name, datetime.now(UTC)))
    logger.info("The plan:\n%s", told)
    if dry_run_id is not None:
        if row["run_id"] == dry_run_id:
            discard_batch(lake, row, f"a dry run: {dry_run_id}")
        raise NothingToDo(f"a dry run ends here, nothing was embedded. The plan:\n{told}")
    if row["state"] == PLANNED:
        _keep_in_budget(lake, priced, rows, profile)
        priced = batches.move(lake, row["batch_id"], PRICED, **figures)
    else:
        priced = batches.note(lake, row["batch_id"], approval_reasons=figures["approval_reasons"])
    return Priced(_embedding_shards(priced), told, bool(priced["approval_reasons"]) and not priced["approved_by"])


def _embedding_shards(row: BatchRow) -> list[Shard]:
    shards = row["embedding_shards"]
    return [{"batch_id": row["batch_id"], "shard": shard, "shards": shards} for shard in range(shards)]


def _others(rows: list[BatchRow], row: BatchRow) -> list[BatchRow]:
    return [other for other in rows if other["batch_id"] != row["batch_id"]]


def _register(lake: Lake, row: BatchRow, profile: Profile, chunked: list[dict[str, Any]]) -> None:
    """Commit what was chunked, and write down what needs no embedding."""
    batch_id = row["batch_id"]
    marks = {"batch_id": batch_id}
    append_once(lake.table(BATCH_CHUNKS), [file for shard in chunked for file in shard["chunk_files"]], marks)
    versions = [file for shard in chunked for file in shard["version_files"]]
    commit_files(lake.table(DOCUMENT_VERSIONS), branch_name(batch_id), versions, marks)
    embeddings_snapshot = head_snapshot(lake.table(DOCUMENT_EMBEDDINGS)).snapshot_id
    binds = (batch_id, profile.model_version, profile.fingerprint, batch_id)
    # Adds to what an earlier try found and removes nothing: a late try would take it from the embedding tasks.
    lake.sql.execute("plans/plan_reuse", binds, embeddings_snapshot=embeddings_snapshot)


def _figures(lake: Lake, row: BatchRow, rows: list[BatchRow], profile: Profile) -> tuple[BatchRow, list[LargeDocument]]:
    """The columns that pricing fills in, and the batch's largest documents. A batch that is priced already keeps its figures."""
    binds = (row["batch_id"], row["batch_id"])
    planned, kept, copied, texts, tokens, reused, doc_ids, characters = lake.sql.row("plans/price_batch", binds)
    largest = [LargeDocument(*document) for document in zip(doc_ids or (), characters or (), strict=True)]
    if row["state"] == PRICED:
        return {}, largest
    in_bulk = profile.is_bought_in_bulk(texts)
    figures = {
        "chunks_planned": planned,
        "chunks_kept": kept,
        "chunks_copied": copied,
        "chunks_embedded": planned - kept - copied,
        "texts_embedded": texts,
        "tokens_estimated": tokens,
        "price_estimated": profile.usd_for(tokens, in_bulk),
        "tokens_reused": reused,
        "price_saved": profile.usd_for(reused, in_bulk),
        "seconds_estimated": estimated_seconds(rows, profile, tokens, texts),
        "embedding_shards": shard_count(tokens, profile.shard_tokens, profile.batch.most_shards),
    }
    return figures, largest


def _keep_in_budget(lake: Lake, row: BatchRow, rows: list[BatchRow], profile: Profile) -> None:
    try:
        check_budget(_others(rows, row), profile, row["price_estimated"], datetime.now(UTC))
    except BudgetExceeded as error:
        discard_batch(lake, row, str(error))
        raise


def approve_batch(batch_id: str, by: str, lake: Lake | None = None) -> None:
    """Record who approved the batch's plan; from then on it may be embedded, by whatever run."""
    batches.note(lake or connect(), batch_id, approved_by=by, approved_at=datetime.now(UTC))


def refuse_batch(batch_id: str, by: str, lake: Lake | None = None) -> None:
    """Give a batch up whose plan somebody refused: nothing of it was embedded, and its documents are found again."""
    lake = lake or connect()
    discard_batch(lake, batches.batch(lake, batch_id), f"refused by {by}")


def discard_batch(lake: Lake, row: BatchRow, reason: str) -> None:
    """Give up an open batch: its branches go, its documents are found again by the next plan. What it cost so far is kept."""
    drop_branches(lake, row["batch_id"])
    if _may_have_jobs(row):
        _cancel_jobs(row)
    give_up(lake, row, reason)


def _may_have_jobs(row: BatchRow) -> bool:
    is_waiting = row["approval_reasons"] and not row["approved_by"]
    return row["state"] == PRICED and not is_waiting and settings.profile(row["profile"]).is_bought_in_bulk(row["texts_embedded"])


def _cancel_jobs(row: BatchRow) -> None:
    # Here and not above: it brings the provider's client along, which no other plan needs.
    from embedding_lakehouse.steps.embed_documents.bulk_buying import cancel_jobs

    try:
        cancel_jobs(row)
    except LakehouseError as error:
        logger.warning("the jobs of batch %s are not cancelled, do so in the provider's account: %s", row["batch_id"], error)


def _names(changes: Changes) -> dict[str, int]:
    return {"source_snapshot": changes["source_snapshot"], "versions_snapshot": changes["versions_snapshot"]}
