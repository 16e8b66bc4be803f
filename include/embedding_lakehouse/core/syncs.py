"""A sync of a release with the lake, and the rules by which it may write and move the release's watermark."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from embedding_lakehouse.core.batches import DISCARDED, OPEN_STATES, PUBLISHED, ROLL_BACK, BatchRow
from embedding_lakehouse.core.checksums import EMPTY, combined
from embedding_lakehouse.core.releases import BUILDING, LIVE, VERIFIED, IndexShape, ReleaseRow
from embedding_lakehouse.errors import ConflictError

# The states of a batch that has rows in the ledger, which may be there before it is noted as published; and of one that has none.
FOLLOWED = (*OPEN_STATES, PUBLISHED)
WITHOUT_ROWS = (*OPEN_STATES, DISCARDED)
# A verified release is still led to the lake's newest state before it becomes the live one.
WRITABLE = (BUILDING, VERIFIED, LIVE)


@dataclass(frozen=True, slots=True)
class Sync:
    """A planned sync: which states of the lake it leads between, and where. It travels between tasks as a dict.

    `covers` are the earlier syncs that were never recorded: what they may have left in the index is part of this one's changes.
    """

    sync_id: str
    profile: str
    release_id: str
    index_name: str
    dimension: int
    metric: str
    namespace: str
    versions_before: int | None
    versions_after: int
    embeddings_after: int
    covers: list[str]
    document_count: int
    record_count: int
    dag_id: str
    run_id: str
    started_at: str

    @property
    def index(self) -> IndexShape:
        """The index that the sync writes to."""
        return IndexShape(self.index_name, self.dimension, self.metric)

    def as_keys(self) -> dict[str, Any]:
        """The sync as XCom carries it."""
        return asdict(self)


def batches_to_follow(rows: list[BatchRow], profile: str, added: set[str]) -> list[str] | None:
    """Of the batches that were added to the ledger the profile's, as all that its release is behind; None where more may differ.

    A roll-back changes what rows of earlier batches are worth, so that after one, finished or not, whole states are to be compared; so are
    they where a batch of this time is not among those that were added.
    """
    known = {row["batch_id"]: row for row in rows}
    if not added <= known.keys():
        return None
    own = [known[batch_id] for batch_id in sorted(added) if known[batch_id]["profile"] == profile]
    if not own:
        return []
    first = min(row["batch_number"] for row in own)
    later = [row for row in rows if row["profile"] == profile and row["batch_number"] >= first]
    is_plain = all(row["kind"] != ROLL_BACK and row["state"] in (FOLLOWED if row["batch_id"] in added else WITHOUT_ROWS) for row in later)
    return [row["batch_id"] for row in own] if is_plain else None


def open_sync(rows: list[ReleaseRow], sync: Sync, moment: datetime) -> list[ReleaseRow]:
    """The release's row with the sync noted as one that may write. Raises ConflictError where another came first."""
    row = _row(rows, sync)
    _check(row, sync, expected=sync.covers)
    return [row | {"open_syncs": [*sync.covers, sync.sync_id], "updated_at": moment}]


def check_open(rows: list[ReleaseRow], sync: Sync) -> None:
    """Raise ConflictError unless the sync is still the last one that may write to its release."""
    _check(_row(rows, sync), sync, expected=[*sync.covers, sync.sync_id])


def is_recorded(rows: list[ReleaseRow], sync: Sync) -> bool:
    """Whether the release stands where the sync leads and owes nothing more."""
    row = _row(rows, sync)
    return row["versions_snapshot"] == sync.versions_after and not row["open_syncs"]


def close_sync(rows: list[ReleaseRow], sync: Sync, id_checksum: str, moment: datetime) -> list[ReleaseRow]:
    """The release's row with the watermark where the sync leads. Raises ConflictError where another sync moved it or came later.

    `id_checksum` is the checksum of the record ids that the sync added, less those that it removed.
    """
    check_open(rows, sync)
    row = _row(rows, sync)
    known = EMPTY if sync.versions_before is None else row["id_checksum"]
    moved: ReleaseRow = {
        "embeddings_snapshot": sync.embeddings_after,
        "versions_snapshot": sync.versions_after,
        "record_count": sync.record_count,
        "id_checksum": combined(known, id_checksum) if known else None,
        "open_syncs": [],
        "updated_at": moment,
    }
    return [row | moved]


def reopen_sync(rows: list[ReleaseRow], sync: Sync, before: ReleaseRow, moment: datetime) -> list[ReleaseRow]:
    """The release's row as it was before the sync was recorded; nothing where it stands elsewhere by now."""
    moved = ("embeddings_snapshot", "versions_snapshot", "record_count", "id_checksum", "open_syncs")
    return [_row(rows, sync) | {name: before[name] for name in moved} | {"updated_at": moment}] if is_recorded(rows, sync) else []


def expired(sync: Sync) -> ConflictError:
    """What stops a sync whose state of the lake cannot be read any more: its release would hold what nobody can compare."""
    return _conflict(sync, "the state to which it leads expired, as where documents are erased from it,")


def _row(rows: list[ReleaseRow], sync: Sync) -> ReleaseRow:
    for row in rows:
        if row["release_id"] == sync.release_id:
            return row
    raise ConflictError(f"the release {sync.release_id} is gone since the sync {sync.sync_id} was planned: run sync_index again")


def _check(row: ReleaseRow, sync: Sync, expected: list[str]) -> None:
    for reason in _differences(row, sync, expected):
        raise _conflict(sync, reason)


def _conflict(sync: Sync, reason: str) -> ConflictError:
    return ConflictError(
        f"{reason} while the sync {sync.sync_id} of release {sync.release_id} was at work: its watermark stays, nothing is lost; "
        f"run {_again(sync)}, which makes good for what this one wrote"
    )


def _again(sync: Sync) -> str:
    if sync.dag_id != "rebuild_index":
        return "sync_index again"
    # What fills a release is planned once, and may name files that are gone.
    return "rebuild_index with discard_building" if sync.versions_before is None else "rebuild_index again"


def _differences(row: ReleaseRow, sync: Sync, expected: list[str]) -> Iterator[str]:
    if row["state"] not in WRITABLE:
        yield f"the release became {row['state']}"
    if row["versions_snapshot"] != sync.versions_before:
        yield f"another sync moved the watermark from {sync.versions_before} to {row['versions_snapshot']}"
    if list(row["open_syncs"] or []) != expected:
        yield f"another sync was planned ({', '.join(row['open_syncs'] or []) or 'and recorded'})"
