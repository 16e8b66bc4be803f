"""Vectors that need not be bought: of the same text in another batch, or staged by a try that did not end."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import read_parts
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS


class KnownVector(NamedTuple):
    """A vector that need not be bought: its values (float32, one per dimension), the text's tokens, the batch that made it."""

    values: np.ndarray
    token_count: int
    copied_from: str | None


Known = dict[str, KnownVector]


def known_vectors(lake: Lake, reuse: pa.Table, staged: list[str], texts: set[str]) -> Known:
    """What is known of these texts, by their hashes: from the batches that `reuse` names, and from the staged parts."""
    sources = {copy["text_hash"]: copy for copy in reuse.to_pylist() if copy["text_hash"] in texts}
    return _copies(lake, sources) | _staged_vectors(lake, staged, texts)


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
