"""Plan a roll-back: which batches it undoes, which version of each of their documents becomes current, what that means for the index."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import ancestors, head_snapshot
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.core.batches import PUBLISHED, REJECTED, ROLL_BACK, BatchRow, latest_published, new_batch_id, next_batch_number
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.roll_backs import (
    RollBack,
    check_none_open,
    moment_of,
    open_roll_back,
    rejected_batches,
    undone_alone,
    undone_since,
    unknown_moment,
)
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.core.texts import one_line
from embedding_lakehouse.errors import InputError, NothingToDo, naming

# Versions that one statement weighs: each opens its chunks in the engine's memory.
SLICE_VERSIONS = 100_000

logger = logging.getLogger(__name__)

Plan = dict[str, Any]


def plan_roll_back(
    profile_name: str, to: str = "", without_batch: str = "", reason: str = "", dry_run: bool = False, lake: Lake | None = None
) -> Plan:
    """Plan the way back to a moment (a batch, a snapshot or a time), or to a state without one batch; the plan as keys.

    Nothing changes by it. A roll-back that a dead run left half done is finished first, whatever is asked for. Raises InputError for an
    unknown moment or batch, ConflictError while a batch is open, NothingToDo where the lake is in that state, and after a dry run.
    """
    lake = lake or connect()
    profile = settings.profile(profile_name)
    rows = batches.journal(lake).rows()
    if begun := open_roll_back(rows, profile.name):
        logger.warning("finishing the roll-back %s, which run %s began: %s", begun["batch_id"], begun["run_id"], begun["message"])
        return _begun(begun)
    why = one_line("reason", reason)
    if not why:
        raise InputError("a roll-back needs a reason, which stays with it: give one in the Param `reason`")
    check_none_open(rows, profile.name)
    planned = _write_plan(lake, profile, rows, _undone(lake, rows, profile.name, to, without_batch), why)
    logger.info("%s", planned.description)
    if dry_run:
        raise NothingToDo(f"a dry run ends here. {planned.description}")
    return planned.as_keys()


def _undone(lake: Lake, rows: list[BatchRow], profile: str, to: str, without_batch: str) -> list[str]:
    if bool(to) == bool(without_batch):
        raise InputError("say either `to`, the moment to go back to, or `without_batch`, the one batch to undo")
    if without_batch:
        with naming("without_batch"):
            return undone_alone(rows, profile, without_batch)
    with naming("to"):
        moment = moment_of(rows, profile, to) or _moment_of_snapshot(lake, rows, profile, to)
    return undone_since(rows, profile, moment)


def _moment_of_snapshot(lake: Lake, rows: list[BatchRow], profile: str, to: str) -> BatchRow:
    """The batch that was the profile's newest in a snapshot which another profile's batch made, or none."""
    by_snapshot = {
        row[column]: row
        for row in rows
        for column in ("versions_snapshot", "embeddings_snapshot")
        if row["profile"] == profile and row[column] is not None
    }
    for declared in (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS):
        for snapshot in ancestors(lake.table(declared), int(to)):
            if snapshot.snapshot_id in by_snapshot:
                return by_snapshot[snapshot.snapshot_id]
    raise unknown_moment(rows, profile, to)


def _write_plan(lake: Lake, profile: Profile, rows: list[BatchRow], undone: list[str], reason: str) -> RollBack:
    batch_id = new_batch_id(datetime.now(UTC))
    latest = latest_published(rows, profile.name)
    virtual: BatchRow = {"batch_id": batch_id, "kind": ROLL_BACK, "undone_batches": undone, "state": PUBLISHED}
    virtual["batch_number"] = next_batch_number(rows)
    before, after = rejected_batches(rows), rejected_batches([*rows, virtual])
    # A batch that somebody rejected by hand stays rejected.
    by_hand = {row["batch_id"] for row in rows if row["state"] == REJECTED} - before
    planned = RollBack(
        batch_id=batch_id,
        profile=profile.name,
        reason=reason,
        undone=undone,
        rejected=sorted(after | by_hand),
        flipped=sorted(before ^ after),
        latest_batch=latest["batch_id"] if latest else "",
        versions_snapshot=head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id,
        embeddings_snapshot=head_snapshot(lake.table(DOCUMENT_EMBEDDINGS)).snapshot_id,
    )
    names = {"versions_snapshot": planned.versions_snapshot, "embeddings_snapshot": planned.embeddings_snapshot}
    slices = max(1, ceil(_documents_of(rows, planned.flipped) / SLICE_VERSIONS))
    rejected, flipped = ",".join(planned.rejected), ",".join(planned.flipped)
    for slice_number in range(slices):
        binds = [rejected, flipped, profile.name, profile.model_version, profile.name, slices, slice_number]
        binds += [profile.name, profile.model_version, profile.name, batch_id]
        lake.sql.execute("rollback/plan_versions", binds, **names)
    restored, removed, chunks, upserts, deletes = lake.sql.row("rollback/sum_up_roll_back", [batch_id])
    return replace(
        planned,
        documents_restored=restored,
        documents_removed=removed,
        chunks_changed=chunks,
        records_upserted=upserts,
        records_deleted=deletes,
    )


def _documents_of(rows: list[BatchRow], chosen: list[str]) -> int:
    counts = ("documents_new", "documents_changed", "documents_deleted")
    return sum(row.get(count) or 0 for row in rows if row["batch_id"] in chosen for count in counts)


def _begun(row: BatchRow) -> Plan:
    """The keys of a roll-back that was begun: it was approved then, and its plan stands in the lake."""
    keys = RollBack(row["batch_id"], row["profile"], row["message"], list(row["undone_batches"]), [], [], "", 0, 0, is_begun=True)
    return keys.as_keys()
