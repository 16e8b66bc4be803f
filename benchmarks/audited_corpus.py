"""A lake filled without a model, as published batches leave it, and one batch on its branch that is ready to be audited."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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

Rows = list[dict[str, Any]]


class AuditedCorpus:
    """The published corpus, which grows, and the batch beside it, which stays the same."""

    def __init__(self, lake: Lake, batch_rows: int, seed: int, published_rows: int = BATCH_ROWS) -> None:
        self.lake = lake
        self.profile = profile()
        self._batch_rows = batch_rows
        self._published_rows = published_rows
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

    def _documents(self, first: int, count: int) -> dict[str, list[str]]:
        """Documents by their ids, each as the texts of its chunks."""
        names = [self.doc_id(number) for number in range(first, first + count)]
        return {name: [f"{name} part {part}: {FILLER}" for part in range(CHUNKS_A_DOCUMENT)] for name in names}

    def _source_rows(self, documents: dict[str, list[str]]) -> pa.Table:
        now = datetime.now(UTC)
        rows = [
            {"doc_id": name, "document_text": name, "content_hash": content_hash(name), "media_type": "text/plain", "updated_at": now}
            for name in documents
        ]
        return pa.Table.from_pylist(rows)

    def _vectors(self, batch_id: str, documents: dict[str, list[str]], source: int) -> Iterator[pa.Table]:
        chunks = [chunk | {"token_count": 200} for chunk in self._cut(documents)]
        dimensions = self.profile.dimensions
        same = {
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
        for first in range(0, len(chunks), PART_ROWS):
            part = pa.Table.from_pylist(chunks[first : first + PART_ROWS])
            vectors = self._random.standard_normal((part.num_rows, dimensions), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            offsets = np.arange(part.num_rows + 1, dtype=np.int32) * dimensions
            part = part.append_column("embedding", pa.ListArray.from_arrays(offsets, vectors.reshape(-1)))
            for name, value in same.items():
                part = part.append_column(name, pa.repeat(pa.scalar(value), part.num_rows))
            yield part

    def _cut(self, documents: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
        for name, texts in documents.items():
            for index, text in enumerate(texts):
                yield {
                    "doc_id": name,
                    "chunk_id": chunk_id(name, text),
                    "chunk_text": text,
                    "content_hash": content_hash(name),
                    "text_hash": text_hash(text),
                    "chunk_index": index,
                    "start_offset": 0,
                }

    def _chunks(self, documents: dict[str, list[str]]) -> pa.Table:
        return pa.Table.from_pylist([chunk | {"batch_id": AUDITED} for chunk in self._cut(documents)])

    def _planned(self, documents: dict[str, list[str]]) -> pa.Table:
        planned = {"batch_id": AUDITED, "shard": 0, "change": "new"}
        return pa.Table.from_pylist([planned | {"doc_id": name, "content_hash": content_hash(name)} for name in documents])

    def _versions(self, batch_id: str, number: int, documents: dict[str, list[str]], source: int) -> pa.Table:
        same = {"profile": self.profile.name, "source_snapshot": source, "batch_number": number, "is_deleted": False, "batch_id": batch_id}
        same["recorded_at"] = datetime.now(UTC)
        return pa.Table.from_pylist(
            [
                same | {"doc_id": name, "content_hash": content_hash(name), "chunk_ids": [chunk_id(name, text) for text in texts]}
                for name, texts in documents.items()
            ]
        )

    def _journal(self, batch_id: str, number: int, state: str, documents: dict[str, list[str]], source: int) -> None:
        count = sum(map(len, documents.values()))
        row = {
            "batch_id": batch_id,
            "batch_number": number,
            "profile": self.profile.name,
            "profile_fingerprint": self.profile.fingerprint,
            "model_name": self.profile.model_name,
            "model_version": self.profile.model_version,
            "state": state,
            "source_snapshot": source,
            "documents_new": len(documents),
            "documents_changed": 0,
            "documents_deleted": 0,
            "documents_remaining": 0,
            "chunks_planned": count,
            "chunks_kept": 0,
            "planned_at": datetime.now(UTC) + timedelta(seconds=number),
        }
        batches.journal(self.lake).change(lambda rows: [row])
