"""Maintain one table: remove rows of finished work, compact, tag what somebody needs, let the rest expire, remove unneeded files.

Each of these stands by itself: what another writer wins is left for the next run, and nobody else's work fails for it.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from embedding_lakehouse.clients import keeping, maintenance
from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.finished_work import (
    KEYED,
    delete_keys,
    finished_branches,
    finished_work,
    folders_of_open_work,
    needed_syncs,
)
from embedding_lakehouse.clients.iceberg import IcebergTable, drop_branch
from embedding_lakehouse.clients.import_files import unneeded_exports
from embedding_lakehouse.clients.keeping import Tags
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.maintenance_runs import record_maintenance
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.snapshots import LED_TAG, SOURCE_TAG
from embedding_lakehouse.clients.table_figures import measure_table
from embedding_lakehouse.core import maintenance as rules_of
from embedding_lakehouse.core.maintenance import Done, Figures, Rules
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, INDEX_RELEASES, JOURNAL_COMMITS, SOURCE_DOCUMENTS, Table
from embedding_lakehouse.errors import ConflictError, LakehouseError, MoreRoundsNeeded

logger = logging.getLogger(__name__)


def maintain_table(table: str, rules: dict[str, Any], maintenance_id: str, dag_id: str = "", lake: Lake | None = None) -> dict[str, Any]:
    """Maintain a table by the rules, or only say what would be done; what was done. Measured before and after, and recorded.

    Raises LakehouseError, after everything else was done and recorded, where the table's folder lacks files that it needs.
    """
    lake = lake or connect()
    declared = next(one for one in ALL_TABLES if one.name == table)
    work = Maintenance(lake, declared, Rules.of_keys(rules), datetime.now(UTC))
    before = measure_table(work.table, work.rules.target_bytes)
    failure = work.run(before)
    after = measure_table(work.table, work.rules.target_bytes)
    columns = {"maintenance_id": maintenance_id, "table_name": table, "is_dry_run": work.rules.is_dry_run, "kept_since": work.kept_since}
    times = {"started_at": work.now, "finished_at": datetime.now(UTC)}
    record_maintenance(lake, before, after, work.done, **columns, **times, dag_id=dag_id, run_id=maintenance_id)
    logger.info("%s", rules_of.described(table, before, after, work.done, work.rules.is_dry_run))
    if failure:
        raise failure
    return {"table": table} | work.done.as_columns()


@dataclass
class Maintenance:
    """The maintenance of one table, whose ages count from `now`."""

    lake: Lake
    declared: Table
    rules: Rules
    now: datetime
    done: Done = field(default_factory=Done)

    def __post_init__(self) -> None:
        self.table: IcebergTable = self.lake.table(self.declared)
        rows, releases = journal(self.lake).rows(), Releases(self.lake).rows()
        self.kept_since = rules_of.keeps_from(rows, releases, self.now, self.rules.snapshot_age)
        self.receipts_since = min(self.now - self.rules.receipt_age, self.kept_since)
        self.unneeded_before = self.now - self.rules.orphan_age

    def run(self, before: Figures) -> LakehouseError | None:
        """Do it all; the error that stopped the removal of files, where there was one."""
        self._unless_lost("rows of finished work", self._remove_finished)
        self._unless_lost("branches of finished batches", self._drop_branches)
        self._unless_lost("compaction", lambda: self._compact(before))
        self._unless_lost("tags", self._tag)
        self._unless_lost("expiry", self._expire)
        try:
            self._remove_files()
        except LakehouseError as error:
            self.done.left.append(str(error))
            return error
        return None

    def _unless_lost(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except ConflictError as error:
            self.done.left.append(f"{what}: {error}")

    def _remove_finished(self) -> None:
        keys = finished_work(self.lake, self.declared, self.unneeded_before, self.receipts_since)
        self.done.finished_keys = len(keys)
        if keys and not self.rules.is_dry_run:
            delete_keys(self.table, KEYED[self.declared.name], keys)

    @cached_property
    def _finished_branches(self) -> list[str]:
        return finished_branches(self.lake, self.table, self.unneeded_before)

    def _drop_branches(self) -> None:
        self.done.branches_dropped = len(self._finished_branches)
        for name in () if self.rules.is_dry_run else self._finished_branches:
            drop_branch(self.table, name)

    def _compact(self, before: Figures) -> None:
        if self.declared.properties == JOURNAL_COMMITS:
            # Put back whole by each change: there is nothing to compact, and a change must never wait for it.
            return
        # Rows that are soon removed are not worth rewriting.
        is_worth_it = self.declared.name not in KEYED and rules_of.is_compaction_worth_it(before, self.rules)
        are_worth_it = rules_of.is_manifest_compaction_worth_it(before, self.rules)
        if are_worth_it and not maintenance.can_compact_manifests(self.lake):
            are_worth_it = False
            self.done.left.append(f"{before.manifest_count:,} manifests, which {self.lake.sql.name} has no statement to put together")
        if self.rules.is_dry_run:
            self.done.is_compacted, self.done.are_manifests_compacted = is_worth_it, are_worth_it
            return
        if is_worth_it:
            self._compact_files()
        if are_worth_it:
            maintenance.compact_manifests(self.lake, self.declared)
            self.done.are_manifests_compacted = True

    def _compact_files(self) -> None:
        self.table.refresh()
        known = {one.snapshot_id for one in self.table.snapshots()}
        try:
            maintenance.compact_files(self.lake, self.declared, self.rules.target_megabytes)
        except MoreRoundsNeeded as error:
            self.done.left.append(f"compaction: {error}")
            return
        finally:
            # What the table says: rounds before a lost one were done, and an engine may find by its own rules that nothing is small.
            self.done.is_compacted = maintenance.is_rewritten(self.table, known)
        if not self.done.is_compacted:
            self.done.left.append(f"compaction: {self.lake.sql.name} was asked to, and found nothing worth it by its own rules")

    @cached_property
    def _needed(self) -> tuple[Tags, set[int], datetime] | None:
        """The tags of those who need a snapshot for long, the snapshots, and since when a tag is too young to be dropped."""
        if self.declared == SOURCE_DOCUMENTS:
            needed = keeping.source_snapshots(self.lake, self.receipts_since)
            return Tags(self.table, SOURCE_TAG), needed, self.receipts_since
        if self.declared == DOCUMENT_VERSIONS:
            needed = keeping.led_snapshots(self.lake, self.receipts_since)
            return Tags(self.table, LED_TAG), needed, self.kept_since
        if self.declared == INDEX_RELEASES:
            told = {snapshot for snapshot, _ in keeping.told_states(self.lake, self.receipts_since)}
            return Tags(self.table, keeping.MOMENT_TAG), told, self.kept_since
        return None

    def _tag(self) -> None:
        if not self._needed:
            return
        tags, snapshots, young_since = self._needed
        is_settled = keeping.is_settled_before(young_since)
        if self.rules.is_dry_run:
            lacking, surplus = tags.differences(snapshots, is_settled)
            self.done.tags_made, self.done.tags_dropped = len(lacking), len(surplus)
        else:
            self.done.tags_made, self.done.tags_dropped = tags.put(snapshots, is_settled)

    def _kept(self, but: Collection[str] = ()) -> set[int]:
        """The snapshots that stay: those of recent moments, of branches other than some, and those that somebody needs, tagged or not."""
        self.table.refresh()
        return keeping.recent_snapshots(self.table, self.kept_since, but) | (self._needed[1] if self._needed else set())

    def _expirable(self) -> list[int]:
        """What would expire once branches and tags are as they should be."""
        surplus = set(self._finished_branches)
        kept = self._kept(surplus)
        if self._needed:
            tags, snapshots, young_since = self._needed
            surplus |= tags.differences(snapshots, keeping.is_settled_before(young_since))[1]
        return [one.snapshot_id for one in maintenance.expirable_snapshots(self.table, kept, self.kept_since, surplus)]

    def _expire(self) -> None:
        if self.rules.is_dry_run:
            self.done.snapshots_expired = len(self._expirable())
        else:
            maintenance.bound_metadata(self.table)
            self.done.snapshots_expired = len(maintenance.expire_snapshots(self.table, self._kept(), self.kept_since))

    def _remove_files(self) -> None:
        gone = self._expirable() if self.rules.is_dry_run else []
        protected = folders_of_open_work(self.lake, self.table)
        found = maintenance.unneeded_files(self.table, self.unneeded_before, protected, gone)
        if self.declared == DOCUMENT_EMBEDDINGS:
            found += unneeded_exports(self.lake, needed_syncs(self.lake), self.unneeded_before)
        for file in found if self.rules.is_dry_run else maintenance.remove_files(self.table, found):
            self.done.files_removed += 1
            self.done.bytes_removed += file.size_bytes
