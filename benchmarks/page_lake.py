"""A lake of any size for the Embeddings page: documents with their versions, vectors, batches and checks, written without a model.

The rows of a batch lie in its files in the order of their texts' hashes, as those of real batches do, so that a document's are spread.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from embedding_lakehouse.clients.iceberg import append_once, head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.hashing import chunk_id, content_hash, text_hash
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tables import (
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    EMBEDDING_BATCHES,
    INDEX_RELEASES,
    SOURCE_DOCUMENTS,
    Table,
)

CHUNKS, PART_ROWS, CHECKS = 8, 2_000, 20
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PageLake:
    """Fills a lake of `documents` documents in `batches` batches of one profile."""

    lake: Lake
    profile: Profile
    documents: int
    batches: int = 40

    def fill(self, seed: int) -> None:
        """Write everything."""
        random = np.random.default_rng(seed)
        for number in range(1, self.batches + 1):
            self._write_batch(number, random)
        self._append(EMBEDDING_BATCHES, [self._batch(number) for number in range(1, self.batches + 1)])
        self._append(QUALITY_RESULTS, [row for number in range(1, self.batches + 1) for row in self._results(number)])
        self._append(INDEX_RELEASES, [self._release()])

    def texts(self, document: int) -> list[str]:
        """The chunks of a document."""
        return [f"Document {document}, part {part}: " + "the keeper trims the lamp at dusk and at dawn; " * 6 for part in range(CHUNKS)]

    def doc_id(self, document: int) -> str:
        return f"handbook/chapter-{document:07}.md"

    def _write_batch(self, number: int, random: np.random.Generator) -> None:
        mine = range(number - 1, self.documents, self.batches)
        sources = [self._source(document) for document in mine]
        snapshot = self._append(SOURCE_DOCUMENTS, sources)
        of = {"source_snapshot": snapshot}
        self._append(DOCUMENT_VERSIONS, [self._version(number, document) | of for document in mine])
        rows = sorted((row | of for document in mine for row in self._rows(number, document)), key=lambda row: row["text_hash"])
        table = self.lake.table(DOCUMENT_EMBEDDINGS)
        files = [
            write_part(table, parts_folder(table, f"b{number}"), part) for part in self._parts(rows, random, table.schema().as_arrow())
        ]
        append_once(table, files, {"batch_id": self._batch_id(number)})

    def _parts(self, rows: Rows, random: np.random.Generator, schema: pa.Schema) -> Iterator[pa.Table]:
        for start in range(0, len(rows), PART_ROWS):
            part = rows[start : start + PART_ROWS]
            vectors = random.standard_normal((len(part), self.profile.dimensions), dtype=np.float32)
            yield pa.Table.from_pylist([row | {"embedding": vector} for row, vector in zip(part, vectors, strict=True)], schema=schema)

    def _append(self, declared: Table, rows: Rows) -> int:
        """Append the rows; the snapshot that holds them."""
        table = self.lake.table(declared)
        table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
        return head_snapshot(table).snapshot_id

    def _batch_id(self, number: int) -> str:
        return f"benchmark-{number:04}"

    def _source(self, document: int) -> dict[str, Any]:
        text = "".join(self.texts(document))
        return {"doc_id": self.doc_id(document), "document_text": text, "content_hash": content_hash(text), "updated_at": BEGINNING}

    def _version(self, number: int, document: int) -> dict[str, Any]:
        texts = self.texts(document)
        return {
            "doc_id": self.doc_id(document),
            "profile": self.profile.name,
            "content_hash": content_hash("".join(texts)),
            "batch_number": number,
            "chunk_ids": [chunk_id(self.doc_id(document), text) for text in texts],
            "is_deleted": False,
            "batch_id": self._batch_id(number),
            "recorded_at": BEGINNING + timedelta(hours=number),
        }

    def _rows(self, number: int, document: int) -> Iterator[dict[str, Any]]:
        texts, doc_id = self.texts(document), self.doc_id(document)
        for index, text in enumerate(texts):
            yield {
                "doc_id": doc_id,
                "chunk_id": chunk_id(doc_id, text),
                "chunk_text": text,
                "embedding_dim": self.profile.dimensions,
                "model_name": self.profile.model_name,
                "model_version": self.profile.model_version,
                "chunking_strategy": self.profile.chunking_strategy,
                "created_at": BEGINNING + timedelta(hours=number),
                "batch_id": self._batch_id(number),
                "profile": self.profile.name,
                "profile_fingerprint": self.profile.fingerprint,
                "content_hash": content_hash("".join(texts)),
                "text_hash": text_hash(text),
                "token_count": len(text) // 4,
                "chunk_index": index,
                "start_offset": sum(map(len, texts[:index])),
            }

    def _batch(self, number: int) -> dict[str, Any]:
        moment = BEGINNING + timedelta(hours=number)
        return {
            "batch_id": self._batch_id(number),
            "batch_number": number,
            "profile": self.profile.name,
            "state": "published",
            "documents_new": self.documents // self.batches,
            "chunks_planned": self.documents * CHUNKS // self.batches,
            "chunks_embedded": self.documents * CHUNKS // self.batches,
            "planned_at": moment,
            "updated_at": moment,
            "published_at": moment,
        }

    def _results(self, number: int) -> Rows:
        held = {
            "batch_id": self._batch_id(number),
            "profile": self.profile.name,
            "verdict": "passed",
            "severity": "fail",
            "engine": "trino",
        }
        sample, moment = json.dumps([]), BEGINNING + timedelta(hours=number)
        return [held | {"check_name": f"check_{check}", "sample": sample, "checked_at": moment} for check in range(CHECKS)]

    def _release(self) -> dict[str, Any]:
        name = f"{self.profile.name}-r1"
        counted = {"record_count": self.documents * CHUNKS, "dimension": self.profile.dimensions, "created_at": BEGINNING}
        counted["versions_snapshot"] = head_snapshot(self.lake.table(DOCUMENT_VERSIONS)).snapshot_id
        return {"release_id": name, "profile": self.profile.name, "index_name": "benchmark", "namespace": name, "state": "live"} | counted
