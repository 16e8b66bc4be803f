"""What the statements of `sql/page` answer about one document, row by row, and what follows from a row."""

from datetime import datetime
from typing import NamedTuple


class FoundDocument(NamedTuple):
    """A document whose id was looked for."""

    doc_id: str
    title: str | None
    updated_at: datetime | None


class BatchState(NamedTuple):
    """What became of a batch."""

    state: str | None = None
    kind: str = "embed"
    published_at: datetime | None = None


class RecordedVersion(NamedTuple):
    """A version of a document as a batch recorded it."""

    batch_id: str
    batch_number: int
    content_hash: str
    source_snapshot: int | None
    is_deleted: bool
    chunk_count: int | None
    restored_from: str | None
    recorded_at: datetime | None


class DocumentVersion(NamedTuple):
    """A version of a document, with what became of its batch."""

    batch_id: str
    batch_number: int
    content_hash: str
    source_snapshot: int | None
    is_deleted: bool
    chunk_count: int | None
    restored_from: str | None
    state: str | None
    kind: str
    published_at: datetime | None

    @classmethod
    def of(cls, row: RecordedVersion, batch: BatchState) -> "DocumentVersion":
        """The version; a batch that the journal does not know was published when it recorded."""
        return cls(*row[:7], batch.state, batch.kind, batch.published_at or row.recorded_at)


class ChunkRow(NamedTuple):
    """A row of a chunk, without its vector."""

    chunk_id: str
    chunk_text: str
    token_count: int | None
    start_offset: int | None
    batch_id: str
    copied_from_batch: str | None
    created_at: datetime

    @property
    def makers(self) -> set[str]:
        """The batch that wrote the row, and the one that made its vector."""
        return {self.batch_id, self.copied_from_batch or self.batch_id}


class Chunk(NamedTuple):
    """A chunk of a version; without a row where none of it is left."""

    chunk_index: int
    chunk_id: str
    row: ChunkRow | None
