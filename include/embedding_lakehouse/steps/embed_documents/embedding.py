"""Embed one shard of a batch's chunks: copy the vectors that exist, buy the others, stage both in checkpoints."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import Embedded, EmbeddingModel, checked_vectors, load_model
from embedding_lakehouse.clients.parts import list_parts, parts_folder, read_parts, write_part
from embedding_lakehouse.core.batches import PRICED, BatchRow, hash_range
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tables import BATCH_CHUNKS, BATCH_REUSE, DOCUMENT_EMBEDDINGS


class KnownVector(NamedTuple):
    """A vector that need not be bought: its values (float32, one per dimension), the text's tokens, the batch that made it."""

    values: np.ndarray
    token_count: int
    copied_from: str | None


Known = dict[str, KnownVector]


def embed_chunks(batch_id: str, shard: int, shards: int, lake: Lake | None = None, model: EmbeddingModel | None = None) -> dict[str, int]:
    """Stage a row for every chunk of the shard that has none yet; counts of `chunks`, `texts_embedded` and `tokens`.

    What a killed try staged is found and used, so a text is bought again at most within the checkpoint that was lost.
    """
    lake = lake or connect()
    row = batches.batch(lake, batch_id)
    counts = {"chunks": 0, "texts_embedded": 0, "tokens": 0}
    if row["state"] != PRICED:
        return counts
    profile = settings.profile_of(row)
    chunks, known = _work_left(lake, batch_id, shard, shards)
    if not chunks.num_rows:
        return counts
    model = model or load_model(profile)
    table = lake.table(DOCUMENT_EMBEDDINGS)
    for portion in _portions(chunks, profile.batch.checkpoint_chunks):
        bought = _embed_unknown(portion, known, profile, model)
        known.update(bought)
        write_part(table, _shard_folder(lake, batch_id, shard), _rows(row, profile, portion, known))
        counts["chunks"] += portion.num_rows
        counts["texts_embedded"] += len(bought)
        counts["tokens"] += sum(vector.token_count for vector in bought.values())
    return counts


def staged_files(lake: Lake, batch_id: str) -> list[str]:
    """The parts staged for a batch so far, by shard."""
    table = lake.table(DOCUMENT_EMBEDDINGS)
    return list_parts(table, parts_folder(table, f"batch_id={batch_id}"))


def _shard_folder(lake: Lake, batch_id: str, shard: int) -> str:
    return parts_folder(lake.table(DOCUMENT_EMBEDDINGS), f"batch_id={batch_id}", f"shard={shard:04d}")


def _work_left(lake: Lake, batch_id: str, shard: int, shards: int) -> tuple[pa.Table, Known]:
    """The shard's chunks that need a row, sorted by text, and the vectors already known for their texts."""
    mine = ("text_hash", *hash_range(shard, shards))
    chunks = scan(lake.table(BATCH_CHUNKS), mine, batch_id=batch_id).to_arrow()
    reuse = scan(lake.table(BATCH_REUSE), mine, batch_id=batch_id).to_arrow()
    table = lake.table(DOCUMENT_EMBEDDINGS)
    staged = list_parts(table, _shard_folder(lake, batch_id, shard))
    done = [chunk for part in read_parts(table, staged, ["chunk_id"]) for chunk in part["chunk_id"].to_pylist()]
    done += reuse.filter(reuse["is_kept"])["chunk_id"].to_pylist()
    left = chunks.filter(pc.invert(pc.is_in(chunks["chunk_id"], value_set=pa.array(done, pa.large_string())))).sort_by("text_hash")
    texts = set(left["text_hash"].to_pylist())
    sources = {copy["text_hash"]: copy for copy in reuse.to_pylist() if copy["text_hash"] in texts}
    return left, _copies(lake, sources) | _staged_vectors(lake, staged, texts)


def _copies(lake: Lake, sources: dict[str, dict[str, Any]]) -> Known:
    """Vectors of the texts that another batch embedded, from the data files that hold them; a file that is gone is bought again."""
    table = lake.table(DOCUMENT_EMBEDDINGS)
    by_file: dict[str, list[str]] = {}
    for text, source in sources.items():
        by_file.setdefault(source["source_file"], []).append(text)
    known: Known = {}
    for file, texts in by_file.items():
        try:
            for text, batch, copied_from, values, tokens in _vectors(table, [file], texts):
                if batch == sources[text]["source_batch"]:
                    known[text] = KnownVector(values, tokens, copied_from or batch)
        except FileNotFoundError:
            continue
    return known


def _staged_vectors(lake: Lake, staged: list[str], texts: set[str]) -> Known:
    """Vectors that a killed try bought or copied for texts that other chunks of the shard still need."""
    found = _vectors(lake.table(DOCUMENT_EMBEDDINGS), staged, sorted(texts))
    return {text: KnownVector(values, tokens, copied_from) for text, _, copied_from, values, tokens in found}


def _vectors(table: Any, files: list[str], texts: list[str]) -> Iterator[tuple[str, str, str | None, np.ndarray, int]]:
    """Text, batch, batch of the copied vector, values and tokens of each row of these texts."""
    # Typed, since no texts at all are of no type, which cannot be compared.
    wanted = ds.field("text_hash").isin(pa.array(texts, pa.string()))
    for part in read_parts(table, files, ["text_hash", "batch_id", "copied_from_batch", "embedding", "token_count"], wanted):
        values = part["embedding"].flatten().to_numpy(zero_copy_only=False).reshape(part.num_rows, -1) if part.num_rows else []
        texts_and_batches = (part[name].to_pylist() for name in ("text_hash", "batch_id", "copied_from_batch"))
        yield from zip(*texts_and_batches, values, part["token_count"].to_pylist(), strict=True)


def _portions(chunks: pa.Table, rows: int) -> Iterator[pa.Table]:
    for first in range(0, chunks.num_rows, rows):
        yield chunks.slice(first, rows)


def _embed_unknown(chunks: pa.Table, known: Known, profile: Profile, model: EmbeddingModel) -> Known:
    """Buy the vectors of the texts that are not known yet, each text once."""
    wanted = dict(zip(chunks["text_hash"].to_pylist(), chunks["chunk_text"].to_pylist(), strict=True))
    unknown = [text for text in wanted if text not in known]
    if not unknown:
        return {}
    vectors, token_counts = _checked(model.embed([profile.model_text(wanted[text]) for text in unknown]), len(unknown), profile)
    return {text: KnownVector(values, tokens, None) for text, values, tokens in zip(unknown, vectors, token_counts, strict=True)}


def _checked(answer: Embedded, texts: int, profile: Profile) -> Embedded:
    return Embedded(checked_vectors(answer.vectors, texts, profile.dimensions, profile.model_name), answer.token_counts)


def _rows(row: BatchRow, profile: Profile, chunks: pa.Table, known: Known) -> pa.Table:
    """The rows of document_embeddings for these chunks."""
    vectors = [known[text] for text in chunks["text_hash"].to_pylist()]
    values = np.concatenate([vector.values for vector in vectors]).astype(np.float32, copy=False)
    offsets = np.arange(len(vectors) + 1, dtype=np.int32) * profile.dimensions
    same = {
        "embedding_dim": profile.dimensions,
        "model_name": profile.model_name,
        "model_version": profile.model_version,
        "chunking_strategy": profile.chunking_strategy,
        "source_snapshot": row["source_snapshot"],
        "created_at": datetime.now(UTC),
        "profile": profile.name,
        "profile_fingerprint": profile.fingerprint,
    }
    rows = chunks.append_column("embedding", pa.ListArray.from_arrays(offsets, values))
    rows = rows.append_column("token_count", pa.array([vector.token_count for vector in vectors], pa.int32()))
    rows = rows.append_column("copied_from_batch", pa.array([vector.copied_from for vector in vectors], pa.string()))
    for name, value in same.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value), chunks.num_rows))
    return rows
