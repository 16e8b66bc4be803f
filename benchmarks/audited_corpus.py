"""A lake filled without a model, as published batches leave it, and one batch on its branch that is ready to be audited."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.embedder import profile
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import append_once, commit_files, drop_branch, head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.batches import COMMITTED, PUBLISHED, branch_name
from embedding_lakehouse.core.hashing import chunk_id, content_hash, text_hash
from embedding_lakehouse.core.tables import (
    BATCH_CHUNKS,
    BATCH_DOCUMENTS,
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    SOURCE_DOCUMENTS,
    Table,
)

CHUNKS_A_DOCUMENT = 10
BATCH_ROWS = 20_000
PART_ROWS = 2_000
WORDS = "the lamp turns every ten seconds and nobody keeps it since the road was built along the coast"
# A chunk of 170 words.
FILLER = " ".join([WORDS] * 9)
AUDITED = "audited"


@dataclass(frozen=True)
class ChunkedDocuments:
    """Documents by their ids, each cut into as many chunks, column by column: rows as dictionaries would take most of the time."""

    doc_ids: list[str]

    @property
    def rows(self) -> int:
        return len(self.doc_ids) * CHUNKS_A_DOCUMENT

    @cached_property
    def content_hashes(self) -> list[str]:
        return [content_hash(doc_id) for doc_id in self.doc_ids]

    @cached_property
    def chunks(self) -> pa.Table:
        """A row a chunk, document by document."""
        parts = range(CHUNKS_A_DOCUMENT)
        texts = [f"{doc_id} part {part}: {FILLER}" for doc_id in self.doc_ids for part in parts]
        doc_ids = _repeated(self.doc_ids)
        return pa.table(
            {
                "doc_id": doc_ids,
                "chunk_id": [chunk_id(doc_id, text) for doc_id, text in zip(doc_ids, texts, strict=True)],
                "chunk_text": texts,
                "content_hash": _repeated(self.content_hashes),
                "text_hash": [text_hash(text) for text in texts],
                "chunk_index": list(parts) * len(self.doc_ids),
                "start_offset": pa.repeat(0, self.rows),
            }
        )

    def documents(self, **columns: Any) -> pa.Table:
        """A row a document with its id and hash; every other column has one value for all."""
        return _filled(pa.table({"doc_id": self.doc_ids, "content_hash": self.content_hashes}), columns)

    @property
    def chunk_ids(self) -> pa.Array:
        """The chunks' ids as one list for each document."""
        offsets = np.arange(len(self.doc_ids) + 1, dtype=np.int32) * CHUNKS_A_DOCUMENT
        return pa.ListArray.from_arrays(offsets, self.chunks["chunk_id"].combine_chunks())


def _repeated(values: list[str]) -> list[str]:
    return [value for value in values for _ in range(CHUNKS_A_DOCUMENT)]


def _filled(rows: pa.Table, columns: dict[str, Any]) -> pa.Table:
    """The rows with more columns, of one value each."""
    for name, value in columns.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value), rows.num_rows))
    return rows


class AuditedCorpus:
    """The published corpus, which grows, and the batch beside it, which stays the same."""

    def __init__(self, lake: Lake, batch_rows: int, seed: int, published_rows: int = BATCH_ROWS, part_rows: int = PART_ROWS) -> None:
        self.lake = lake
        self.profile = profile()
        self._batch_rows = batch_rows
        self._published_rows = published_rows
        self._part_rows = part_rows
        self._random = np.random.default_rng(seed)
        self._rows = 0
        self._batches = 0

    def grow_to(self, rows: int) -> None:
        """Publish batches until main holds so many rows."""
        while self._rows < rows:
            count = min(self._published_rows, rows - self._rows)
            self._batches += 1
            name = f"batch-{self._batches:05}"
            documents = self._documents(self._rows // CHUNKS_A_DOCUMENT, count // CHUNKS_A_DOCUMENT)
            self._add(SOURCE_DOCUMENTS, name, [self._source_rows(documents)])
            source = head_snapshot(self.lake.table(SOURCE_DOCUMENTS)).snapshot_id
            self._add(DOCUMENT_EMBEDDINGS, name, self._vectors(name, documents, source))
            self._add(DOCUMENT_VERSIONS, name, [self._versions(name, self._batches, documents, source)])
            self._journal(name, self._batches, PUBLISHED, documents, source)
            self._rows += count

    def doc_id(self, document: int) -> str:
        """The id of one of the documents that were published."""
        return f"{document:08}.md"

    def put_batch(self) -> tuple[Lake, str]:
        """Put the batch on branches from main's head, with its plan; the lake and the batch's id."""
        documents = self._documents(10_000_000, self._batch_rows // CHUNKS_A_DOCUMENT)
        # Planned once: the source and the plan do not change when the corpus has grown.
        self._add(SOURCE_DOCUMENTS, AUDITED, [self._source_rows(documents)])
        source = head_snapshot(self.lake.table(SOURCE_DOCUMENTS)).snapshot_id
        self._add(BATCH_DOCUMENTS, AUDITED, [self._planned(documents)])
        self._add(BATCH_CHUNKS, AUDITED, [self._chunks(documents)])
        number = self._batches + 1
        self._journal(AUDITED, number, COMMITTED, documents, source)
        self._branch(DOCUMENT_EMBEDDINGS, self._vectors(AUDITED, documents, source))
        self._branch(DOCUMENT_VERSIONS, [self._versions(AUDITED, number, documents, source)])
        return self.lake, AUDITED

    def _add(self, declared: Table, name: str, parts: Any) -> None:
        table = self.lake.table(declared)
        append_once(table, [write_part(table, parts_folder(table, name), part) for part in parts], {"batch_id": name})

    def _branch(self, declared: Table, parts: Any) -> None:
        table = self.lake.table(declared)
        drop_branch(table, branch_name(AUDITED))
        files = [write_part(table, parts_folder(table, AUDITED), part) for part in parts]
        commit_files(table, branch_name(AUDITED), files, {"batch_id": AUDITED})

    def _documents(self, first: int, count: int) -> ChunkedDocuments:
        return ChunkedDocuments([self.doc_id(number) for number in range(first, first + count)])

    def _source_rows(self, documents: ChunkedDocuments) -> pa.Table:
        rows = documents.documents(media_type="text/plain", updated_at=datetime.now(UTC))
        return rows.append_column("document_text", rows["doc_id"])

    def _vectors(self, batch_id: str, documents: ChunkedDocuments, source: int) -> Iterator[pa.Table]:
        dimensions = self.profile.dimensions
        same = {
            "token_count": 200,
            "embedding_dim": dimensions,
            "model_name": self.profile.model_name,
            "model_version": self.profile.model_version,
            "chunking_strategy": self.profile.chunking_strategy,
            "source_snapshot": source,
            "created_at": datetime.now(UTC),
            "batch_id": batch_id,
            "profile": self.profile.name,
            "profile_fingerprint": self.profile.fingerprint,
        }
        for first in range(0, documents.rows, self._part_rows):
            part = documents.chunks.slice(first, self._part_rows)
            vectors = self._random.standard_normal((part.num_rows, dimensions), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            offsets = np.arange(part.num_rows + 1, dtype=np.int32) * dimensions
            yield _filled(part.append_column("embedding", pa.ListArray.from_arrays(offsets, vectors.reshape(-1))), same)

    def _chunks(self, documents: ChunkedDocuments) -> pa.Table:
        return _filled(documents.chunks, {"batch_id": AUDITED})

    def _planned(self, documents: ChunkedDocuments) -> pa.Table:
        return documents.documents(batch_id=AUDITED, shard=0, change="new")

    def _versions(self, batch_id: str, number: int, documents: ChunkedDocuments, source: int) -> pa.Table:
        rows = documents.documents(
            profile=self.profile.name,
            source_snapshot=source,
            batch_number=number,
            is_deleted=False,
            batch_id=batch_id,
            recorded_at=datetime.now(UTC),
        )
        return rows.append_column("chunk_ids", documents.chunk_ids)

    def _journal(self, batch_id: str, number: int, state: str, documents: ChunkedDocuments, source: int) -> None:
        row = {
            "batch_id": batch_id,
            "batch_number": number,
            "profile": self.profile.name,
            "profile_fingerprint": self.profile.fingerprint,
            "model_name": self.profile.model_name,
            "model_version": self.profile.model_version,
            "state": state,
            "source_snapshot": source,
            "documents_new": len(documents.doc_ids),
            "documents_changed": 0,
            "documents_deleted": 0,
            "documents_remaining": 0,
            "chunks_planned": documents.rows,
            "chunks_kept": 0,
            "planned_at": datetime.now(UTC) + timedelta(seconds=number),
        }
        batches.journal(self.lake).change(lambda rows: [row])
