"""Cut a shard's documents into chunks and write them, with the versions they make, as staged parts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.batches import PLANNED, BatchRow
from embedding_lakehouse.core.chunking import Chunk, chunk_document
from embedding_lakehouse.core.hashing import chunk_id, text_hash
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tables import BATCH_CHUNKS, BATCH_DOCUMENTS, DOCUMENT_VERSIONS

# Chunks are sorted by text within a part, so an embedding shard reads only the row groups of its range.
ROW_GROUP_ROWS = 4_000
PART_CHARACTERS = 32_000_000

Document = dict[str, Any]


def chunk_documents(batch_id: str, shard: int, lake: Lake | None = None) -> dict[str, Any]:
    """Chunk the shard's documents; the locations of the staged chunk and version files.

    A batch that was priced already has its chunks: nothing is done then. Two tries write other files; the registered ones count.
    """
    lake = lake or connect()
    row = batches.batch(lake, batch_id)
    staged: dict[str, Any] = {"batch_id": batch_id, "shard": shard, "chunk_files": [], "version_files": []}
    if row["state"] != PLANNED:
        return staged
    profile = settings.profile_of(row)
    for documents in _portions(lake, batch_id, shard):
        chunks = {document["doc_id"]: _chunks(document, profile) for document in documents}
        staged["chunk_files"] += _write_chunks(lake, row, shard, documents, chunks)
        staged["version_files"].append(_write_versions(lake, row, shard, documents, chunks))
    return staged


def _portions(lake: Lake, batch_id: str, shard: int) -> Iterator[list[Document]]:
    """The shard's documents in portions of bounded size, each document once."""
    seen: set[str] = set()
    portion: list[Document] = []
    characters = 0
    for rows in scan(lake.table(BATCH_DOCUMENTS), batch_id=batch_id, shard=shard).to_arrow_batch_reader():
        for document in rows.to_pylist():
            if document["doc_id"] in seen:
                continue
            seen.add(document["doc_id"])
            portion.append(document)
            characters += len(document["document_text"] or "")
            if characters > PART_CHARACTERS:
                yield portion
                portion, characters = [], 0
    if portion:
        yield portion


def _chunks(document: Document, profile: Profile) -> list[Chunk]:
    return chunk_document(document["document_text"] or "", profile.chunking, document["media_type"])


def _write_chunks(lake: Lake, row: BatchRow, shard: int, documents: list[Document], chunks: dict[str, list[Chunk]]) -> list[str]:
    cut = [
        {
            "batch_id": row["batch_id"],
            "doc_id": document["doc_id"],
            "chunk_id": chunk_id(document["doc_id"], chunk.text),
            "text_hash": text_hash(chunk.text),
            "chunk_text": chunk.text,
            "content_hash": document["content_hash"],
            "chunk_index": chunk.index,
            "start_offset": chunk.start_offset,
        }
        for document in documents
        for chunk in chunks[document["doc_id"]]
    ]
    if not cut:
        return []
    table = lake.table(BATCH_CHUNKS)
    folder = parts_folder(table, f"batch_id={row['batch_id']}", f"shard={shard:04d}")
    return [write_part(table, folder, pa.Table.from_pylist(cut).sort_by("text_hash"), ROW_GROUP_ROWS)]


def _write_versions(lake: Lake, row: BatchRow, shard: int, documents: list[Document], chunks: dict[str, list[Chunk]]) -> str:
    now = datetime.now(UTC)
    versions = [
        {
            "doc_id": document["doc_id"],
            "profile": row["profile"],
            "content_hash": document["content_hash"],
            "source_snapshot": row["source_snapshot"],
            "source_sequence_number": row["source_sequence_number"],
            "batch_number": row["batch_number"],
            "chunk_ids": [chunk_id(document["doc_id"], chunk.text) for chunk in chunks[document["doc_id"]]],
            "is_deleted": document["change"] == "deleted",
            "batch_id": row["batch_id"],
            "recorded_at": now,
        }
        for document in documents
    ]
    table = lake.table(DOCUMENT_VERSIONS)
    folder = parts_folder(table, f"batch_id={row['batch_id']}", f"shard={shard:04d}")
    schema = pa.schema([field for field in table.schema().as_arrow() if field.name in versions[0]])
    return write_part(table, folder, pa.Table.from_pylist(versions, schema=schema))
