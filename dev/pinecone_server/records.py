"""The records of one namespace in memory, and exact search over them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import orjson

from dev.pinecone_server import pages
from dev.pinecone_server.filters import Metadata, Predicate

SMALLEST_CAPACITY = 256
# Rows compared at once by the euclidean metric, so that the differences stay in the processor's cache.
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Change:
    """Records to put (`ids`, `vectors` of shape ids x dimension in float32, `metadata`), ids to remove, or everything to clear first."""

    ids: list[str] = field(default_factory=list)
    vectors: np.ndarray | None = None
    metadata: list[Metadata] = field(default_factory=list)
    clear: bool = False

    def first(self, count: int) -> "Change":
        """Return the change that puts only the first records of this one."""
        return Change(self.ids[:count], None if self.vectors is None else self.vectors[:count], self.metadata[:count])


class Match(NamedTuple):
    """A record found: its row and its score, the squared distance for the euclidean metric."""

    row: int
    score: float


class Records:
    """Ids, vectors (float32) and metadata by row; a removed record's row is taken by the last one."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._clear()

    def __len__(self) -> int:
        return len(self.ids)

    def copy(self) -> "Records":
        """Return records that change independently of these. Metadata is shared: a change replaces it, and never edits it."""
        twin = Records(self.dimension)
        twin.ids, twin.metadata, twin._rows = self.ids.copy(), self.metadata.copy(), self._rows.copy()
        twin._vectors, twin._norms, twin._texts = self._vectors.copy(), self._norms.copy(), self._texts.copy()
        return twin

    @property
    def bytes(self) -> int:
        """Return the size of the records in bytes: vectors, ids and metadata as JSON."""
        return self._vectors[: len(self)].nbytes + int(self._texts[: len(self)].sum())

    @property
    def bytes_in_memory(self) -> int:
        """Return about how many bytes the records take in memory, with the room that is kept for more of them."""
        return self._vectors.nbytes + int(self._texts[: len(self)].sum())

    def row(self, record_id: str) -> int | None:
        """Return the row of a record, or None if there is none of this id."""
        return self._rows.get(record_id)

    def vector(self, row: int) -> np.ndarray:
        """Return a copy of a record's vector: float32, of length dimension."""
        return self._vectors[row].copy()

    def vectors(self, rows: list[int]) -> np.ndarray:
        """Return the vectors of some rows, of shape rows x dimension."""
        return self._vectors[rows]

    def apply(self, change: Change) -> None:
        """Make a change to these records."""
        if change.clear:
            self._clear()
        if change.vectors is not None:
            self._put(change.ids, change.vectors, change.metadata)
        else:
            self._remove(change.ids)

    def _clear(self) -> None:
        self.ids: list[str] = []
        self.metadata: list[Metadata] = []
        self._rows: dict[str, int] = {}
        self._vectors = np.empty((0, self.dimension), dtype=np.float32)
        self._norms = np.empty(0)
        self._texts = np.empty(0, dtype=np.int64)
        self._sorted: list[str] | None = None

    def _put(self, ids: list[str], vectors: np.ndarray, metadata: list[Metadata]) -> None:
        self._reserve(len(self.ids) + len(ids))
        rows = []
        for record_id, fields in zip(ids, metadata, strict=True):
            row = self._rows.setdefault(record_id, len(self.ids))
            if row == len(self.ids):
                self.ids.append(record_id)
                self.metadata.append(fields)
                self._sorted = None
            else:
                self.metadata[row] = fields
            rows.append(row)
        self._vectors[rows] = vectors
        self._texts[rows] = [len(record_id) + len(orjson.dumps(fields)) for record_id, fields in zip(ids, metadata, strict=True)]
        self._norms[rows] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))

    def _remove(self, ids: list[str]) -> None:
        for record_id in ids:
            row = self._rows.pop(record_id, None)
            if row is None:
                continue
            last = len(self.ids) - 1
            last_id, last_metadata = self.ids.pop(), self.metadata.pop()
            if row != last:
                self.ids[row], self.metadata[row] = last_id, last_metadata
                self._rows[last_id] = row
                self._vectors[row], self._norms[row], self._texts[row] = self._vectors[last], self._norms[last], self._texts[last]
            self._sorted = None

    def _reserve(self, size: int) -> None:
        if size <= len(self._norms):
            return
        capacity = max(SMALLEST_CAPACITY, size, len(self._norms) * 3 // 2)
        vectors, norms = np.empty((capacity, self.dimension), dtype=np.float32), np.empty(capacity)
        texts = np.empty(capacity, dtype=np.int64)
        for fresh, held in ((vectors, self._vectors), (norms, self._norms), (texts, self._texts)):
            fresh[: len(self.ids)] = held[: len(self.ids)]
        self._vectors, self._norms, self._texts = vectors, norms, texts

    def page(self, prefix: str, after: str | None, limit: int) -> tuple[list[str], bool]:
        """Return up to `limit` ids with the prefix in sorted order behind `after`, and whether there are more."""
        if self._sorted is None:
            self._sorted = sorted(self.ids)
        return pages.cut(self._sorted, after, limit, prefix)

    def matching(self, predicate: Predicate) -> Iterator[int]:
        """Yield the rows whose metadata the predicate accepts."""
        return (row for row, fields in enumerate(self.metadata) if predicate(fields))

    def search(self, query: np.ndarray, metric: str, top_k: int, predicate: Predicate | None = None) -> list[Match]:
        """Return the exact nearest records of a query vector, best first; records of one score are in the order of their ids."""
        rows = np.arange(len(self.ids)) if predicate is None else np.fromiter(self.matching(predicate), dtype=np.intp)
        if not rows.size:
            return []
        vectors, norms = self._vectors[: len(self.ids)], self._norms[: len(self.ids)]
        if predicate is not None:
            vectors, norms = vectors[rows], norms[rows]
        scores = _scores(vectors, norms, query.astype(np.float32), metric)
        ranks = -scores if metric == "euclidean" else scores
        best = min(top_k, rows.size)
        # Everything as good as the last place comes along, so that ties are settled by id and not by the partition.
        lowest = np.partition(ranks, rows.size - best)[rows.size - best]
        chosen = sorted(np.flatnonzero(ranks >= lowest), key=lambda place: (-ranks[place], self.ids[rows[place]]))[:best]
        return [Match(int(rows[place]), float(scores[place])) for place in chosen]


def _scores(vectors: np.ndarray, norms: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if metric == "euclidean":
            scores = _squared_distances(vectors, query)
        else:
            scores = vectors @ query
            if metric == "cosine":
                scores = np.clip(scores / (norms * np.linalg.norm(query.astype(np.float64))), -1, 1)
    # Vectors near the end of float32 overflow, and JSON knows neither infinities nor NaN.
    return np.nan_to_num(scores.astype(np.float32))


def _squared_distances(vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
    distances = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        # Not |a|² - 2ab + |b|²: near neighbours would drown in its rounding.
        difference = vectors[start : start + ROWS_AT_ONCE] - query
        distances[start : start + ROWS_AT_ONCE] = np.einsum("ij,ij->i", difference, difference)
    return distances
