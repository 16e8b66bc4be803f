"""A lake filled without any model: batches with made-up vectors, committed as the DAGs commit them, and what is current in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from embedding_lakehouse.clients.iceberg import commit_files, head_snapshot, publish_branch
from embedding_lakehouse.clients.journal import Journal
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.hashing import chunk_id, content_hash, text_hash
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tables import (
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    EMBEDDING_BATCHES,
    SOURCE_DOCUMENTS,
    Table,
)

SOURCE_SNAPSHOT = 7_034_567_890_123_456_789

Rows = list[dict[str, Any]]


@dataclass
class LakeBuilder:
    """Batches of one profile, one after the other; remembers every version and row, to say what is current."""

    lake: Lake
    profile: Profile
    part_rows: int = 3
    embed: Callable[[str], list[float]] | None = None
    versions: dict[str, Rows] = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)
    batch_number: int = 0

    def publish(self, documents: dict[str, list[str]], deleted: tuple[str, ...] = ()) -> str:
        """Publish one batch: documents with the texts of their chunks, and documents found deleted; the batch id."""
        batch_id = self._begin()
        for doc_id, texts in documents.items():
            self.versions.setdefault(doc_id, []).append(self._version(batch_id, doc_id, texts))
            for index, text in enumerate(texts):
                known = self.rows.setdefault(chunk_id(doc_id, text), [])
                if all(row["batch_id"] in self.rejected for row in known):
                    known.append(self._row(batch_id, doc_id, text, index, texts))
        for doc_id in deleted:
            self.versions[doc_id].append(self._version(batch_id, doc_id, []) | {"is_deleted": True})
        self._put(DOCUMENT_EMBEDDINGS, batch_id, [row for rows in self.rows.values() for row in rows if row["batch_id"] == batch_id])
        self._put(DOCUMENT_VERSIONS, batch_id, [row for rows in self.versions.values() for row in rows if row["batch_id"] == batch_id])
        return batch_id

    def moment(self) -> tuple[int, int, dict[str, Rows], dict[str, Rows]]:
        """The lake as it is now, to go back to."""
        snapshots = (head_snapshot(self.lake.table(table)).snapshot_id for table in (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS))
        return (*snapshots, {key: list(rows) for key, rows in self.versions.items()}, {key: list(rows) for key, rows in self.rows.items()})

    def roll_back(self, moment: tuple[int, int, dict[str, Rows], dict[str, Rows]]) -> None:
        """Move main of both tables to an earlier moment."""
        versions, embeddings, self.versions, self.rows = moment
        for table, snapshot in ((DOCUMENT_VERSIONS, versions), (DOCUMENT_EMBEDDINGS, embeddings)):
            self.lake.table(table).manage_snapshots().set_current_snapshot(snapshot_id=snapshot).commit()

    def reject(self, batch_id: str) -> None:
        """Mark a batch as rejected: its vectors are never current again."""
        self.rejected.add(batch_id)
        self._mark(batch_id, "rejected")

    def put_back(self, batch_id: str) -> None:
        """Mark a rejected batch as published again: its vectors count beside those that later batches made of the same texts."""
        self.rejected.remove(batch_id)
        self._mark(batch_id, "published")

    def _mark(self, batch_id: str, state: str) -> None:
        Journal(self.lake.catalog, EMBEDDING_BATCHES, "batch_id").change(
            lambda rows: [row | {"state": state} for row in rows if row["batch_id"] == batch_id]
        )

    def current(self) -> dict[str, dict[str, Any]]:
        """The current row of every current chunk by its id: what an index that follows the lake holds."""
        latest = [max(rows, key=lambda row: row["batch_number"]) for rows in self.versions.values() if rows]
        return {
            name: max((row for row in self.rows[name] if row["batch_id"] not in self.rejected), key=lambda row: row["batch_id"])
            for version in latest
            for name in version["chunk_ids"]
        }

    def title(self, titles: dict[str, str]) -> None:
        """Give documents a title in the source table."""
        table = self.lake.table(SOURCE_DOCUMENTS)
        rows = [{"doc_id": doc_id, "title": title} for doc_id, title in titles.items()]
        table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))

    def _begin(self) -> str:
        self.batch_number += 1
        batch_id = f"{self.profile.name}-{self.batch_number:04}"
        row = {"batch_id": batch_id, "batch_number": self.batch_number, "profile": self.profile.name, "state": "published"}
        Journal(self.lake.catalog, EMBEDDING_BATCHES, "batch_id").change(lambda rows: [row])
        return batch_id

    def _version(self, batch_id: str, doc_id: str, texts: list[str]) -> dict[str, Any]:
        return {
            "doc_id": doc_id,
            "profile": self.profile.name,
            "content_hash": content_hash("".join(texts)),
            "source_snapshot": SOURCE_SNAPSHOT,
            "batch_number": self.batch_number,
            "chunk_ids": [chunk_id(doc_id, text) for text in texts],
            "is_deleted": False,
            "batch_id": batch_id,
            "recorded_at": datetime.now(UTC),
        }

    def _row(self, batch_id: str, doc_id: str, text: str, index: int, texts: list[str]) -> dict[str, Any]:
        name = chunk_id(doc_id, text)
        return {
            "doc_id": doc_id,
            "chunk_id": name,
            "chunk_text": text,
            "embedding": self.embed(text) if self.embed else self._vector(f"{name}{batch_id}"),
            "embedding_dim": self.profile.dimensions,
            "model_name": self.profile.model_name,
            "model_version": self.profile.model_version,
            "source_snapshot": SOURCE_SNAPSHOT,
            "created_at": datetime.now(UTC),
            "batch_id": batch_id,
            "profile": self.profile.name,
            "content_hash": content_hash("".join(texts)),
            "text_hash": text_hash(text),
            "chunk_index": index,
            "start_offset": sum(map(len, texts[:index])),
        }

    def _vector(self, seed: str) -> list[float]:
        """A vector that the same chunk in another batch does not have."""
        random = np.random.default_rng(int.from_bytes(sha256(seed.encode()).digest()[:8]))
        return random.standard_normal(self.profile.dimensions).astype(np.float32).tolist()

    def _put(self, declared: Table, batch_id: str, rows: Rows) -> None:
        table = self.lake.table(declared)
        folder = parts_folder(table, batch_id)
        schema = table.schema().as_arrow()
        files = [
            write_part(table, folder, pa.Table.from_pylist(rows[start : start + self.part_rows], schema=schema))
            for start in range(0, len(rows), self.part_rows)
        ]
        commit_files(table, f"batch-{batch_id}", files, {"batch_id": batch_id})
        publish_branch(table, f"batch-{batch_id}")
