"""Read a shard's files into documents and rejections, and stage them as parts of bounded size."""

import logging
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.forgetting.tombstones import in_force
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.parsing.reading import documents_of
from embedding_lakehouse.clients.parsing.sandbox import Sandbox
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.clients.sources import source_of
from embedding_lakehouse.clients.sources.ahead import AheadSource
from embedding_lakehouse.core.documents import Document, Rejection
from embedding_lakehouse.core.forgetting import FORGOTTEN, Tombstones, refusal
from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.ingest_tables import INGEST_FILES, STAGED_DOCUMENTS
from embedding_lakehouse.core.listing import ListedFile
from embedding_lakehouse.core.rows import Outcome

SLICE_CHARACTERS = 16_000_000
SLICE_DOCUMENTS = 50_000
SLICES_PER_SHARD = 1_000_000
FILE_COLUMNS = ("path", "size_bytes", "modified_at", "etag", "problem")

log = logging.getLogger(__name__)


def parse_files(ingest_id: str, shard: int, params: dict[str, Any], lake: Lake | None = None) -> dict[str, Any]:
    """Parse the shard's files; the staged slices with their parts and sizes.

    A file or row that cannot be used, or was forgotten, is staged as a rejection and stops nothing. Two tries write other parts; the
    registered ones count.
    Raises TransientError where the source does not answer.
    """
    lake = lake or connect()
    settings = IngestSettings.from_params(params)
    files = _files(lake, ingest_id, shard)
    stage = Stage(lake, ingest_id, shard)
    source = source_of(settings)
    # One byte more than allowed, as a reader asks for, to see that a file is too large.
    tombstones = in_force(lake)
    with Sandbox(settings.parse_seconds) as sandbox, AheadSource(source, files, settings.max_document_bytes + 1) as ahead:
        for file in files:
            for outcome in documents_of(ahead, file, settings, sandbox):
                stage.add(file.path, _unless_forgotten(outcome, tombstones))
    stage.flush()
    log.info("shard %d: %s documents, %s rejections", shard, f"{stage.documents:,}", f"{stage.rejections:,}")
    return {"ingest_id": ingest_id, "shard": shard, "slices": stage.slices}


def _unless_forgotten(outcome: Outcome, tombstones: Tombstones) -> Outcome:
    """The outcome, or where the document was forgotten its refusal, which has nothing of its text."""
    content = content_hash(outcome.text) if tombstones and isinstance(outcome, Document) else None
    tombstone = tombstones.of(outcome.doc_id, content)
    return Rejection(outcome.doc_id, FORGOTTEN, refusal(tombstone), outcome.line) if tombstone else outcome


def _files(lake: Lake, ingest_id: str, shard: int) -> list[ListedFile]:
    rows = scan(lake.table(INGEST_FILES), ingest_id=ingest_id, shard=shard).to_arrow().select(FILE_COLUMNS)
    return [ListedFile(**row) for row in rows.sort_by("path").to_pylist()]


class Stage:
    """Collects a shard's rows and writes each slice of them as one part."""

    def __init__(self, lake: Lake, ingest_id: str, shard: int) -> None:
        self.table = lake.table(STAGED_DOCUMENTS)
        self.ingest_id = ingest_id
        self.folder = parts_folder(self.table, f"ingest_id={ingest_id}", f"shard={shard:04d}")
        self.slices: list[dict[str, Any]] = []
        self.documents = self.rejections = 0
        # Slice 0 belongs to the documents that are removed.
        self._first_slice = shard * SLICES_PER_SHARD + 1
        self._rows: list[dict[str, Any]] = []
        self._characters = 0

    def add(self, path: str, outcome: Outcome) -> None:
        """Take a document or rejection of the file."""
        row = {"path": path, "line": outcome.line, "doc_id": outcome.doc_id}
        if isinstance(outcome, Document):
            self.documents += 1
            row |= {"document_text": outcome.text, "content_hash": content_hash(outcome.text), "title": outcome.title}
            row |= {"media_type": outcome.media_type, "metadata": outcome.metadata}
            self._characters += len(outcome.text) + len(outcome.metadata)
        else:
            self.rejections += 1
            row |= {"reason_code": outcome.code, "reason": outcome.reason}
            self._characters += len(outcome.reason)
        self._rows.append(row)
        if self._characters >= SLICE_CHARACTERS or len(self._rows) >= SLICE_DOCUMENTS:
            self.flush()

    def flush(self) -> None:
        """Write what was taken since the last slice as the next one."""
        if not self._rows:
            return
        number = self._first_slice + len(self.slices)
        schema = pa.schema([field.remove_metadata() for field in self.table.schema().as_arrow()])
        rows = [row | {"ingest_id": self.ingest_id, "slice": number} for row in self._rows]
        part = write_part(self.table, self.folder, pa.Table.from_pylist(rows, schema=schema))
        self.slices.append({"slice": number, "part": part, "rows": len(rows), "characters": self._characters})
        self._rows, self._characters = [], 0
