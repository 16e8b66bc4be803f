"""The comparisons of the index with the record: what is expected of it, what each of them found, and its repair as a sync."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg.table import DataScan

from embedding_lakehouse.clients.iceberg import append_once, delete_rows, head_snapshot, scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.clients.sync_plans import MOST_SHARDS, SHARD_RECORDS
from embedding_lakehouse.core.batches import shard_count
from embedding_lakehouse.core.index_tables import INDEX_RECONCILIATIONS
from embedding_lakehouse.core.reconciliation import Figures
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.core.tables import INDEX_SYNCS, SYNC_CHANGES

EXPECTED_COLUMNS = ("chunk_id", "doc_id", "source_batch", "source_file", "title")


@dataclass(frozen=True, slots=True)
class Reconciliations:
    """The table `index_reconciliations` of a lake, and what belongs to a comparison in the others."""

    lake: Lake

    def expected(
        self, reconciliation_id: str, between: tuple[str, str], columns: tuple[str, ...] = EXPECTED_COLUMNS
    ) -> Iterator[pa.RecordBatch]:
        """The expected records whose ids lie between two characters: columns of `sync_changes`, batch by batch in no order."""
        low, high = between
        wanted = scan(self.lake.table(SYNC_CHANGES), ("chunk_id", low, chr(ord(high) + 1)), sync_id=reconciliation_id)
        yield from wanted.select(*columns).to_arrow_batch_reader()

    def forget_expected(self, reconciliation_id: str) -> None:
        """Drop what was expected, which is as large as the index; the findings have copies of what they need."""
        table = self.lake.table(SYNC_CHANGES)
        if any(scan(table, sync_id=reconciliation_id).plan_files()):
            delete_rows(table, sync_id=reconciliation_id)

    def syncs_snapshot(self) -> int:
        """The state of `index_syncs` now, by which `later_syncs` tells what came later."""
        return head_snapshot(self.lake.table(INDEX_SYNCS)).snapshot_id

    def later_syncs(self, release: ReleaseRow, syncs_snapshot: int, but: str | None = None) -> list[str]:
        """The syncs of the release that were recorded since, and those that may be writing to it now; `but` is left out."""
        recorded = scan(self.lake.table(INDEX_SYNCS), release_id=release["release_id"]).select("sync_id")
        now, before = (set(_sync_ids(each)) for each in (recorded, recorded.update(snapshot_id=syncs_snapshot)))
        return sorted({*(now - before), *(release["open_syncs"] or [])} - {but})

    def record(self, row: Figures) -> None:
        """Append a comparison to `index_reconciliations`, once, however often called."""
        table = self.lake.table(INDEX_RECONCILIATIONS)
        rows = pa.Table.from_pylist([row], schema=table.schema().as_arrow())
        file = write_part(table, parts_folder(table, row["reconciliation_id"]), rows)
        append_once(table, [file], {"batch_id": row["reconciliation_id"]})

    def named(self, reconciliation_id: str) -> dict[str, Any]:
        """A recorded comparison."""
        (row,) = scan(self.lake.table(INDEX_RECONCILIATIONS), reconciliation_id=reconciliation_id).to_arrow().to_pylist()
        return row

    def counts(self, reconciliation_id: str, later: list[str]) -> dict[str, tuple[int, int]]:
        """Records by finding, and those that a later sync may have written meanwhile."""
        rows = self.lake.sql.rows("reconcile/count_findings", [",".join(later), reconciliation_id])
        return {finding: (count, newer) for finding, count, newer in rows}

    def examples(self, reconciliation_id: str, of_each: int) -> list[tuple[str, ...]]:
        """A few findings of each kind: finding, record, detail."""
        return self.lake.sql.rows("reconcile/show_findings", [reconciliation_id, of_each])

    def plan_repair(self, reconciliation_id: str, sync: Sync, later: list[str], is_complete: bool) -> None:
        """Write the changes that mend what was found as those of a sync, and note it at the comparison. It may not write yet."""
        found = sum(count for count, _ in self.counts(reconciliation_id, later).values())
        shards = shard_count(found, SHARD_RECORDS, MOST_SHARDS)
        self.lake.sql.execute("reconcile/plan_repair", [",".join(later), sync.sync_id, shards, reconciliation_id, is_complete])
        self.lake.sql.execute("reconcile/note_repair", [sync.sync_id, reconciliation_id])


def _sync_ids(syncs: DataScan) -> list[str]:
    return syncs.to_arrow()["sync_id"].to_pylist()
