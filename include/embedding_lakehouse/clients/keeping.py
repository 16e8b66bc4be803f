"""Which snapshots stay, and for whom: releases, receipts, open batches, recent moments and holds. What stays long is tagged.

A tagged snapshot can be read for as long as its tag stays; its ancestors are not needed for that. Between now and the moment since when
everything is kept, no snapshot is missing, so that what walks along main from its head finds what it looks for.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot

from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.iceberg import COMMIT_TRIES, ancestors, head_snapshot, lost_races, never_retry
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.snapshots import kept_snapshot, led_snapshot, snapshot_at
from embedding_lakehouse.core.batches import OPEN_STATES
from embedding_lakehouse.core.maintenance import history_to_keep
from embedding_lakehouse.core.releases import HELD
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, INDEX_RELEASES, SOURCE_DOCUMENTS
from embedding_lakehouse.errors import ConflictError

# How the tags of told moments begin. Tags that begin otherwise than ours are people's own and are never touched.
MOMENT_TAG = "moment-"
# What a release is at a moment, as receipts tell it.
TOLD = ("release_id", "profile", "namespace", "state", "versions_snapshot", "embeddings_snapshot")


def recent_snapshots(table: IcebergTable, since: datetime, but: Collection[str] = ()) -> set[int]:
    """What was main of the table, or an ancestor of a branch that is not in `but`, at any moment since, without a gap."""
    limit = _milliseconds(since)
    kept: set[int] = set()
    for name, ref in table.refs().items():
        if ref.snapshot_ref_type == SnapshotRefType.BRANCH and name not in but:
            for snapshot in ancestors(table, ref.snapshot_id):
                kept.add(snapshot.snapshot_id)
                if snapshot.timestamp_ms < limit:
                    break
    log = sorted(table.metadata.snapshot_log, key=lambda entry: entry.timestamp_ms)
    before = [entry.snapshot_id for entry in log if entry.timestamp_ms < limit][-1:]
    return kept | {*before, *(entry.snapshot_id for entry in log if entry.timestamp_ms >= limit)}


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of one kind in a table: those that are to be there, made or dropped in one commit."""

    table: IcebergTable
    prefix: str

    def differences(self, wanted: Iterable[int], is_settled: Callable[[Snapshot], bool]) -> tuple[set[int], set[str]]:
        """Snapshots that lack their tag, and tags whose snapshot nobody needs; one that is not settled yet keeps its tag."""
        wanted = set(wanted)
        has = {name: ref.snapshot_id for name, ref in self.table.refs().items() if name.startswith(self.prefix)}
        known = {snapshot.snapshot_id: snapshot for snapshot in self.table.snapshots()}
        surplus = {name for name, snapshot in has.items() if snapshot not in wanted and is_settled(known[snapshot])}
        # A tag of that name which leads elsewhere was led on by an erasure, and stays there.
        lacking = {one for one in wanted & known.keys() if f"{self.prefix}{one}" not in has}
        return lacking - set(has.values()), surplus

    def put(self, wanted: Iterable[int], is_settled: Callable[[Snapshot], bool]) -> tuple[int, int]:
        """Tag the wanted snapshots that are left, and drop the tags of others; how many were made and dropped."""
        wanted = set(wanted)
        for _ in range(COMMIT_TRIES):
            self.table.refresh()
            never_retry(self.table)
            lacking, surplus = self.differences(wanted, is_settled)
            if not lacking and not surplus:
                return 0, 0
            changes = self.table.manage_snapshots()
            for snapshot in sorted(lacking):
                changes = changes.create_tag(snapshot, f"{self.prefix}{snapshot}")
            for name in sorted(surplus):
                changes = changes.remove_tag(name)
            try:
                with lost_races(self.table):
                    changes.commit()
            except CommitFailedException:
                continue
            return len(lacking), len(surplus)
        raise ConflictError(f"could not tag snapshots of {'.'.join(self.table.name())}: the table changes too often; run the task again")


def told_states(lake: Lake, since: datetime) -> list[tuple[int, list[dict[str, Any]]]]:
    """What `index_releases` said of every release, by the snapshot that first said so, oldest first, back to what it said at a moment."""
    table = lake.table(INDEX_RELEASES)
    # A journal is put back whole: what its delete leaves was never the state of it.
    puts = [one for one in table.snapshots() if one.summary and one.summary.operation != Operation.DELETE]
    puts.sort(key=lambda one: one.sequence_number or 0)
    limit = _milliseconds(since)
    before = [one for one in puts if one.timestamp_ms <= limit][-1:]
    states = {}
    for snapshot in [*before, *(one for one in puts if one.timestamp_ms > limit)]:
        rows = table.scan(snapshot_id=snapshot.snapshot_id).select(*TOLD).to_arrow().to_pylist()
        states[snapshot.snapshot_id] = sorted(rows, key=lambda row: row["release_id"])
    kept = history_to_keep(states.items())
    return [(snapshot, states[snapshot]) for snapshot in kept]


def told_snapshots(lake: Lake, since: datetime) -> set[int]:
    """The states of the ledger that releases which held records were led to since a moment, as `index_releases` names them."""
    rows = (row for _, told in told_states(lake, since) for row in told)
    return {row["versions_snapshot"] for row in rows if row["state"] in HELD and row["versions_snapshot"] is not None}


def led_snapshots(lake: Lake, since: datetime) -> set[int]:
    """The snapshots of the ledger that have these states now: an erasure put others in the place of some."""
    ledger = lake.table(DOCUMENT_VERSIONS)
    return {_id_of(led_snapshot(ledger, one), one) for one in told_snapshots(lake, since)}


def _id_of(kept: Snapshot | None, named: int) -> int:
    return kept.snapshot_id if kept else named


def source_snapshots(lake: Lake, since: datetime) -> set[int]:
    """The snapshots of the source that hold the text of a version which was current at a moment since.

    They are those that batches pinned since, the one that was the source's at that moment, and what current versions alone cite.
    """
    source = lake.table(SOURCE_DOCUMENTS)
    rows = journal(lake).rows()
    pinned = {row["source_snapshot"] for row in rows if row["state"] in OPEN_STATES or (row["planned_at"] and row["planned_at"] >= since)}
    # Of what expired in between nothing was pinned, so no version cites it.
    then = snapshot_at(source, _milliseconds(since))
    wanted = (pinned | cited_snapshots(lake) | ({then.snapshot_id} if then else set())) - {None}
    # An erasure put others in the place of some.
    return {_id_of(kept_snapshot(source, one), one) for one in wanted}


def cited_snapshots(lake: Lake) -> set[int]:
    """The snapshots of the source that alone hold the text of a version that is current."""
    names = {
        "versions_snapshot": head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id,
        "source_snapshot": head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id,
    }
    return {snapshot for (snapshot,) in lake.sql.rows("maintenance/list_cited_snapshots", **names)}


def is_settled_before(moment: datetime) -> Callable[[Snapshot], bool]:
    """Whether a snapshot was made before a moment: what is younger may be about to be needed."""
    limit = _milliseconds(moment)
    return lambda snapshot: snapshot.timestamp_ms < limit


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
