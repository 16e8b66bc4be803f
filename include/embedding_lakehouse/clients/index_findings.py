"""The findings of a comparison: staged as files by its tasks, and made part of `index_findings` once, when it is concluded."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.iceberg import append_once
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.index_tables import INDEX_FINDINGS
from embedding_lakehouse.core.reconciliation import Difference

# Findings of an index that lost everything are as many as its records.
PART_ROWS = 20_000


@dataclass
class FindingsWriter:
    """Stages the findings of one task. What a try staged counts only where its files are those that are committed."""

    lake: Lake
    reconciliation_id: str
    count: int = 0
    files: list[str] = field(default_factory=list)
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, record_id: str, difference: Difference, **row: Any) -> None:
        """Stage a finding; `row` is what `index_findings` keeps of the row that the record should equal."""
        finding = {"finding": difference.finding, "detail": difference.detail, "found_at": datetime.now(UTC)}
        self._rows.append({"reconciliation_id": self.reconciliation_id, "record_id": record_id, **finding, **row})
        self.count += 1
        if len(self._rows) == PART_ROWS:
            self._write()

    def finish(self) -> list[str]:
        """The staged files."""
        if self._rows:
            self._write()
        return self.files

    def _write(self) -> None:
        table = self.lake.table(INDEX_FINDINGS)
        rows = pa.Table.from_pylist(self._rows, schema=table.schema().as_arrow())
        self.files.append(write_part(table, parts_folder(table, f"reconciliation_id={self.reconciliation_id}"), rows))
        self._rows = []


def commit_findings(lake: Lake, reconciliation_id: str, files: list[str]) -> None:
    """Make the staged files part of `index_findings`, once, however often called."""
    append_once(lake.table(INDEX_FINDINGS), files, {"batch_id": reconciliation_id})
