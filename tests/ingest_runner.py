"""An ingestion in one call, step by step as its DAG runs it, and what the lake says afterwards."""

from dataclasses import dataclass, field
from typing import Any

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.ingest_tables import (
    INGEST_CHANGES,
    INGEST_FILES,
    INGEST_RUNS,
    LISTED_FILES,
    REJECTED_DOCUMENTS,
    STAGED_DOCUMENTS,
)
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS, Table
from embedding_lakehouse.errors import NothingToDo
from embedding_lakehouse.steps.ingest_documents.comparing import compare_documents
from embedding_lakehouse.steps.ingest_documents.listing import list_files
from embedding_lakehouse.steps.ingest_documents.merging import merge_documents
from embedding_lakehouse.steps.ingest_documents.parsing import parse_files

Rows = list[dict[str, Any]]


@dataclass
class Ingestion:
    """Runs `ingest_documents` over one source."""

    lake: Lake
    source: str
    params: dict[str, Any] = field(default_factory=dict)

    def run(self, **params: Any) -> dict[str, Any]:
        """Run every step; the run's row of ingest_runs, with whether the asset would change as `is_announced`."""
        asked = {"source": self.source} | self.params | params
        is_announced = False
        if shards := list_files(asked, "a-run", self.lake):
            staged = [parse_files(**shard, params=asked, lake=self.lake) for shard in shards]
            comparison = compare_documents(staged, asked, self.lake)
            try:
                merge_documents(comparison, asked, self.lake)
                is_announced = True
            except NothingToDo:
                is_announced = False
        return self.runs()[-1] | {"is_announced": is_announced}

    def runs(self) -> Rows:
        """The journal, oldest first."""
        return sorted(self.rows(INGEST_RUNS), key=lambda row: row["started_at"])

    def documents(self) -> dict[str, dict[str, Any]]:
        """The live documents by id."""
        return {row["doc_id"]: row for row in self.rows(SOURCE_DOCUMENTS)}

    def texts(self) -> dict[str, str]:
        """The live documents' texts by id."""
        return {doc_id: row["document_text"] for doc_id, row in self.documents().items()}

    def rejections(self) -> dict[str, dict[str, Any]]:
        """The rejected documents by id."""
        return {row["doc_id"]: row for row in self.rows(REJECTED_DOCUMENTS)}

    def codes(self) -> dict[str, str]:
        """Why documents are rejected, by id."""
        return {doc_id: row["reason_code"] for doc_id, row in self.rejections().items()}

    def staged_rows(self) -> int:
        """Rows that any ingestion has staged and not dropped."""
        return sum(len(self.rows(table)) for table in (LISTED_FILES, INGEST_FILES, STAGED_DOCUMENTS, INGEST_CHANGES))

    def rows(self, table: Table) -> Rows:
        """A table as it is now."""
        return self.lake.table(table).scan().to_arrow().to_pylist()


def counts(run: dict[str, Any]) -> tuple[int, int, int, int]:
    """Documents of a run: new, changed, removed, rejected."""
    return run["new_documents"], run["changed_documents"], run["removed_documents"], run["rejected_documents"]
