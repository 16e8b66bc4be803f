"""Embed one shard of a batch's chunks: copy the vectors that exist, buy the others, stage both in checkpoints."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import EmbeddingModel, load_model
from embedding_lakehouse.clients.models.embedder import Embedder, Rejection
from embedding_lakehouse.clients.parts import list_parts, parts_folder, read_parts, write_part
from embedding_lakehouse.core.batches import PRICED, BatchRow, hash_range
from embedding_lakehouse.core.packing import fit_checkpoint
from embedding_lakehouse.core.plans import check_approved
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tables import BATCH_CHUNKS, BATCH_REUSE, DOCUMENT_EMBEDDINGS
from embedding_lakehouse.core.usage import Usage
from embedding_lakehouse.errors import ConflictError
from embedding_lakehouse.steps.embed_documents.rejecting import stage_rejections, staged_rejections
from embedding_lakehouse.steps.embed_documents.reusing import Known, KnownVector, known_vectors

COUNTED = ("chunks", "chunks_rejected", "texts_embedded", "tokens", "requests")
Counts = dict[str, int]
NOTHING = Usage()

logger = logging.getLogger(__name__)


def embed_chunks(batch_id: str, shard: int, shards: int, lake: Lake | None = None, model: EmbeddingModel | None = None) -> Counts:
    """Stage a row for every chunk of the shard that has none yet, or its rejection; what was done, by `COUNTED`.

    What a killed try staged is found and used, so a text is bought again at most within the checkpoint that was lost. Of a batch that is
    committed or given up meanwhile nothing more is staged. Raises ApprovalRequired for a batch that waits for approval.
    """
    lake = lake or connect()
    row = batches.batch(lake, batch_id)
    if row["state"] != PRICED:
        return dict.fromkeys(COUNTED, 0)
    check_approved(row)
    stage = Stage(lake, row, settings.profile_of(row), shard)
    chunks, known = work_left(lake, batch_id, shard, shards)
    try:
        stage.put(chunks, known)
        unknown = chunks.filter(pc.invert(of_texts(chunks, known)))
        if unknown.num_rows:
            _buy(stage, unknown, model or load_model(stage.profile), settings.tasks_at_once(stage.profile, shards))
    except BatchMovedOn as moved:
        logger.warning("%s", moved)
    return stage.counts


class BatchMovedOn(ConflictError):
    """The batch was committed or given up while one of its shards was still being embedded."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A shard's staged parts; `counts` adds up what was put there."""

    lake: Lake
    row: BatchRow
    profile: Profile
    shard: int
    counts: Counts = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))

    def put(self, chunks: pa.Table, vectors: Known, paid: Usage = NOTHING) -> None:
        """Write a row for each of the chunks whose text has a vector, and with them what was `paid` for these."""
        table = self.lake.table(DOCUMENT_EMBEDDINGS)
        folder = shard_folder(self.lake, self.row["batch_id"], self.shard)
        ready = chunks.filter(of_texts(chunks, vectors))
        self._require_open(ready.num_rows)
        for portion in _portions(ready, self.profile.batch.checkpoint_chunks):
            write_part(table, folder, _rows(self.row, self.profile, portion, vectors), metadata=paid.as_metadata())
            paid = NOTHING
        self.counts["chunks"] += ready.num_rows

    def reject(self, chunks: pa.Table, reasons: dict[str, Rejection]) -> None:
        """Write down each of the chunks whose text was rejected, with the reason."""
        rejected = chunks.filter(of_texts(chunks, reasons))
        self._require_open(rejected.num_rows)
        stage_rejections(self.lake, self.row, self.shard, rejected, reasons)
        self.counts["chunks_rejected"] += rejected.num_rows

    def _require_open(self, rows: int) -> None:
        """A part that comes late would stay for ever, and bring back what was erased meanwhile."""
        if rows and (state := batches.batch(self.lake, self.row["batch_id"])["state"]) != PRICED:
            raise BatchMovedOn(f"batch {self.row['batch_id']} is {state} meanwhile: {rows} rows of shard {self.shard} are not kept")


def _buy(stage: Stage, chunks: pa.Table, model: EmbeddingModel, tasks: int) -> None:
    """Buy the vectors of the chunks' texts, each text once, and stage them checkpoint by checkpoint."""
    limits, most_lost = stage.profile.model_limits, stage.profile.batch.checkpoint_chunks
    # Every request that is under way is lost with a killed task.
    in_flight = max(1, min(limits.requests_in_flight, most_lost))
    most_inputs, together = fit_checkpoint(most_lost, in_flight, limits.inputs_per_request)
    embedder = Embedder(stage.profile, model, tasks, most_inputs, in_flight)
    texts = dict(zip(chunks["text_hash"].to_pylist(), chunks["chunk_text"].to_pylist(), strict=True))
    hashes, bought, rejected = list(texts), Known(), dict[str, Rejection]()
    try:
        for outcomes in embedder.embed([stage.profile.model_text(text) for text in texts.values()]):
            for outcome in outcomes:
                if isinstance(outcome, Rejection):
                    rejected[hashes[outcome.position]] = outcome
                else:
                    bought[hashes[outcome.position]] = KnownVector(outcome.vector, outcome.token_count, None)
            if len(bought) >= together:
                checkpoint(stage, chunks, bought, rejected, embedder.requests)
    finally:
        # What was paid for is kept, whatever ended the rest.
        checkpoint(stage, chunks, bought, rejected, embedder.requests)
        stage.counts["requests"] = embedder.requests


def checkpoint(stage: Stage, chunks: pa.Table, bought: Known, rejected: dict[str, Rejection], requests: int, in_bulk: bool = False) -> None:
    """Stage what has arrived, and forget it. `requests` were put to the model so far."""
    if bought:
        tokens = sum(vector.token_count for vector in bought.values())
        stage.put(chunks, bought, Usage(requests - stage.counts["requests"], tokens, stage.profile.usd_for(tokens, in_bulk)))
        stage.counts["texts_embedded"] += len(bought)
        stage.counts["tokens"] += tokens
        stage.counts["requests"] = requests
        bought.clear()
    if rejected:
        stage.reject(chunks, rejected)
        rejected.clear()


def shard_folder(lake: Lake, batch_id: str, shard: int) -> str:
    """Where the shard's parts are staged."""
    return parts_folder(lake.table(DOCUMENT_EMBEDDINGS), f"batch_id={batch_id}", f"shard={shard:04d}")


def work_left(lake: Lake, batch_id: str, shard: int, shards: int) -> tuple[pa.Table, Known]:
    """The shard's chunks that need a row, sorted by text, and the vectors already known for their texts."""
    mine = ("text_hash", *hash_range(shard, shards))
    chunks = scan(lake.table(BATCH_CHUNKS), mine, batch_id=batch_id).to_arrow()
    reuse = scan(lake.table(BATCH_REUSE), mine, batch_id=batch_id).to_arrow()
    table = lake.table(DOCUMENT_EMBEDDINGS)
    staged = list_parts(table, shard_folder(lake, batch_id, shard))
    done = [chunk for part in read_parts(table, staged, ["chunk_id"]) for chunk in part["chunk_id"].to_pylist()]
    done += reuse.filter(reuse["is_kept"])["chunk_id"].to_pylist()
    done += staged_rejections(lake, batch_id, shard)
    left = chunks.filter(pc.invert(pc.is_in(chunks["chunk_id"], value_set=pa.array(done, pa.large_string())))).sort_by("text_hash")
    return left, known_vectors(lake, reuse, staged, set(left["text_hash"].to_pylist()))


def of_texts(chunks: pa.Table, texts: Iterable[str]) -> pa.ChunkedArray:
    """Which of the chunks have one of these texts."""
    return pc.is_in(chunks["text_hash"], value_set=pa.array(list(texts), pa.large_string()))


def _portions(chunks: pa.Table, rows: int) -> Iterator[pa.Table]:
    for first in range(0, chunks.num_rows, rows):
        yield chunks.slice(first, rows)


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
