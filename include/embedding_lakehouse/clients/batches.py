"""The journal of batches: begin one, find the open one, move it on. Every change is a compare-and-set."""

from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients.iceberg import is_own_snapshot
from embedding_lakehouse.clients.journal import Journal
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.snapshots import main_since
from embedding_lakehouse.core.batches import (
    BLOCKED,
    COMMITTED,
    OPEN_STATES,
    PLANNED,
    PRICED,
    PUBLISHED,
    ROLL_BACK,
    BatchRow,
    check_fingerprint,
    latest_published,
    next_batch_number,
    open_batch,
)
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.roll_backs import RollBack, check_none_open, turned
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, EMBEDDING_BATCHES
from embedding_lakehouse.errors import ConflictError, PlanOvertaken

STAGES = (PLANNED, PRICED, COMMITTED, BLOCKED, PUBLISHED)
REACHED_AT = {PRICED: "priced_at", COMMITTED: "committed_at", PUBLISHED: "published_at"}


def journal(lake: Lake) -> Journal:
    """The journal of batches."""
    return Journal(lake.catalog, EMBEDDING_BATCHES, "batch_id")


def batch(lake: Lake, batch_id: str) -> BatchRow:
    """The batch as it is now. Raises ConflictError for one that was never begun."""
    for row in journal(lake).rows():
        if row["batch_id"] == batch_id:
            return row
    raise ConflictError(f"there is no batch {batch_id} in {EMBEDDING_BATCHES.name}")


def begin(lake: Lake, profile: Profile, planned: dict[str, Any], after: str | None) -> BatchRow:
    """Journal a planned batch under the next free number; `after` is the profile's latest published batch as the plan knew it.

    Raises ConflictError where another run began a batch of the profile in between, PlanOvertaken where one was published, since documents
    could go back to an older version then; ConfigurationError for a changed profile.
    """

    def decide(rows: list[BatchRow]) -> list[BatchRow]:
        check_fingerprint(rows, profile)
        if other := open_batch(rows, profile.name):
            raise ConflictError(f"the run {other['run_id']} began batch {other['batch_id']} of profile {profile.name!r} in between")
        latest = latest_published(rows, profile.name)
        if latest and latest["batch_id"] != after:
            raise PlanOvertaken(f"batch {latest['batch_id']} was published after the changes were counted: run embed_documents again")
        now = datetime.now(UTC)
        return [planned | {"batch_number": next_batch_number(rows), "state": PLANNED, "planned_at": now, "updated_at": now}]

    (begun,) = journal(lake).change(decide)
    return begun


def begin_roll_back(lake: Lake, profile: Profile, planned: RollBack, run: dict[str, str]) -> BatchRow:
    """Journal a planned roll-back and, in the same commit, the new states of the batches that it undoes or puts back.

    Where it was begun before, nothing changes. Raises ConflictError where a batch was begun or published since it was planned.
    """
    begun: list[BatchRow] = []

    def decide(rows: list[BatchRow]) -> list[BatchRow]:
        begun[:] = [row for row in rows if row["batch_id"] == planned.batch_id]
        if begun:
            return []
        _check_unmoved(rows, profile, planned)
        now = datetime.now(UTC)
        row: BatchRow = {
            "batch_id": planned.batch_id,
            "batch_number": next_batch_number(rows),
            "kind": ROLL_BACK,
            "state": PLANNED,
            "profile": profile.name,
            "profile_fingerprint": profile.fingerprint,
            "model_name": profile.model_name,
            "model_version": profile.model_version,
            "undone_batches": planned.undone,
            "message": planned.reason,
            "planned_at": now,
            "updated_at": now,
        }
        begun[:] = [row | run]
        return [*begun, *turned(rows, begun[0], now)]

    journal(lake).change(decide)
    return begun[0]


def _check_unmoved(rows: list[BatchRow], profile: Profile, planned: RollBack) -> None:
    check_none_open(rows, profile.name)
    latest = latest_published(rows, profile.name)
    if not latest or latest["batch_id"] != planned.latest_batch:
        raise ConflictError("another batch was published since the roll-back was planned and approved: trigger roll_back_embeddings again")


def move(lake: Lake, batch_id: str, state: str, **changes: Any) -> BatchRow:
    """Put an open batch into `state` with the changed columns. A batch that is that far already, or farther, stays as it is.

    Raises ConflictError for a batch that is finished in another way.
    """
    found: list[BatchRow] = []

    def decide(rows: list[BatchRow]) -> list[BatchRow]:
        row = next(row for row in rows if row["batch_id"] == batch_id)
        found[:] = [row]
        # A batch that is blocked once more may be so for another reason.
        if (row["state"] == state != BLOCKED) or _is_behind(state, row["state"]):
            return []
        if row["state"] not in OPEN_STATES:
            raise ConflictError(f"batch {batch_id} is {row['state']}: it cannot become {state}")
        now = datetime.now(UTC)
        reached = {REACHED_AT[state]: now} if state in REACHED_AT else {}
        found[:] = [row | {"state": state, "updated_at": now} | reached | changes]
        return found

    journal(lake).change(decide)
    return found[0]


def publish(lake: Lake, batch_id: str, embeddings_snapshot: int, versions_snapshot: int, **changes: Any) -> BatchRow:
    """Put a batch whose snapshots are main into the state `published`, as of when its ledger became main.

    That is not now where a run was killed in between: a sync may have followed, and answers been given, hours ago. A roll-back that puts
    no version back has no snapshot of its own.
    """
    ledger = lake.table(DOCUMENT_VERSIONS)
    is_own = is_own_snapshot(ledger.snapshot_by_id(versions_snapshot), batch_id)
    since = main_since(ledger, versions_snapshot) if is_own else None
    snapshots = {"embeddings_snapshot": embeddings_snapshot, "versions_snapshot": versions_snapshot}
    return move(lake, batch_id, PUBLISHED, **snapshots, **({"published_at": since} if since else {}), **changes)


def take_over(lake: Lake, batch_id: str, dag_id: str, run_id: str) -> None:
    """Note that another run works on an open batch now."""
    note(lake, batch_id, dag_id=dag_id, run_id=run_id)


def note(lake: Lake, batch_id: str, **changes: Any) -> BatchRow:
    """Change columns of a batch that keeps its state; nothing is written where they have these values."""
    found: list[BatchRow] = []

    def decide(rows: list[BatchRow]) -> list[BatchRow]:
        row = next(row for row in rows if row["batch_id"] == batch_id)
        is_new = any(row[column] != value for column, value in changes.items())
        found[:] = [row | changes | {"updated_at": datetime.now(UTC)} if is_new else row]
        return found if is_new else []

    journal(lake).change(decide)
    return found[0]


def _is_behind(state: str, reached: str) -> bool:
    """A published batch is past every stage but being blocked, which would say of main what is not so."""
    if (state, reached) == (BLOCKED, PUBLISHED):
        return False
    return state in STAGES and reached in STAGES and STAGES.index(state) < STAGES.index(reached)
