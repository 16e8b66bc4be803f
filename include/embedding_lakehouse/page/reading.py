"""What the pages show, read through the statements of `sql/page`; every value is a bind."""

from dataclasses import dataclass, replace
from datetime import datetime

from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.page.document_rows import BatchState, ChunkRow, FoundDocument, RecordedVersion
from embedding_lakehouse.page.rows import (
    Alert,
    Batch,
    BatchDetails,
    CheckResult,
    Comparison,
    Costs,
    Coverage,
    Measure,
    Release,
    Verdict,
)

ABOVE_EVERY_BATCH = 2**62
COVERAGE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Reading:
    """The lake under one profile, as the pages show it."""

    sql: SqlEngine
    profile: Profile

    def releases(self) -> list[Release]:
        return [Release._make(row) for row in self.sql.rows("page/list_releases", [self.profile.name])]

    def batches(self, limit: int, before: int | None = None) -> list[Batch]:
        """The newest batches, or those before a batch number."""
        number = ABOVE_EVERY_BATCH if before is None else before
        rows = self.sql.rows("page/list_batches", [self.profile.name, self.profile.name, number, limit])
        return [Batch._make(row) for row in rows]

    def batch(self, batch_id: str) -> BatchDetails | None:
        """The batch of that id, of whatever profile."""
        rows = self.sql.rows("page/show_batch", [batch_id])
        return BatchDetails._make(rows[0]) if rows else None

    def checks(self, batch_id: str) -> list[CheckResult]:
        return [CheckResult._make(row) for row in self.sql.rows("page/list_checks", [batch_id])]

    def coverage(self) -> Coverage:
        """Compares the whole source with the whole ledger, for which nobody waits: it may take longer than the rest."""
        unhurried = replace(self.sql, statement_seconds=COVERAGE_SECONDS)
        return Coverage._make(unhurried.row("page/measure_coverage", [self.profile.name]))

    def costs(self, since: datetime) -> Costs:
        return Costs._make(self.sql.row("page/sum_costs", [self.profile.name, since, since, since, since]))

    def verdicts(self, limit: int) -> list[Verdict]:
        return [Verdict._make(row) for row in self.sql.rows("page/list_verdicts", [self.profile.name, limit])]

    def measures(self, limit: int) -> list[Measure]:
        """What the newest `limit` measurements found, the oldest first."""
        return [Measure._make(row) for row in self.sql.rows("page/list_measures", [self.profile.name, limit])]

    def comparisons(self, limit: int) -> list[Comparison]:
        return [Comparison._make(row) for row in self.sql.rows("page/list_comparisons", [self.profile.name, limit])]

    def alerts(self, limit: int) -> list[Alert]:
        return [Alert._make(row) for row in self.sql.rows("page/list_alerts", [self.profile.name, limit])]

    def documents(self, text: str, limit: int) -> list[FoundDocument]:
        """Documents of the source whose id holds the text."""
        return [FoundDocument._make(row) for row in self.sql.rows("page/find_documents", [text, text, limit])]

    def versions(self, doc_id: str) -> list[RecordedVersion]:
        """The document's versions, the newest first."""
        return [RecordedVersion._make(row) for row in self.sql.rows("page/list_versions", [self.profile.name, doc_id])]

    def batch_states(self) -> dict[str, BatchState]:
        """What became of every batch, by its id."""
        return {batch_id: BatchState(*state) for batch_id, *state in self.sql.rows("page/list_batch_states")}

    def chunk_ids(self, doc_id: str, batch_number: int | None, limit: int) -> tuple[int, list[str]] | None:
        """The batch number of a version, by default of the newest, and its first chunks in reading order."""
        rows = self.sql.rows("page/list_chunk_ids", [limit, self.profile.name, doc_id, batch_number])
        return (rows[0][0], rows[0][1] or []) if rows else None

    def chunk_rows(self, doc_id: str, chunk_ids: tuple[str, ...], batch_ids: tuple[str, ...]) -> list[ChunkRow]:
        """The rows that these batches wrote of the document's chunks."""
        binds = [self.profile.model_version, doc_id, chunk_ids, batch_ids]
        return [ChunkRow._make(row) for row in self.sql.rows("page/list_chunks", binds)]

    def held_version(self, doc_id: str, versions_snapshot: int) -> str | None:
        """The hash of the document's version in a state of the ledger, None where it had none."""
        rows = self.sql.rows("page/show_held_version", [self.profile.name, doc_id], versions_snapshot=versions_snapshot)
        return str(rows[0][0]) if rows else None
