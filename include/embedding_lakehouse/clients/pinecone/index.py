"""The records of an index: written, removed, fetched, searched."""

from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import orjson
from pinecone import NotFoundError
from pinecone.models.response_info import ResponseInfo

from embedding_lakehouse.clients.pinecone.aliases import Aliases
from embedding_lakehouse.clients.pinecone.imports import Imports
from embedding_lakehouse.clients.pinecone.namespaces import Namespaces
from embedding_lakehouse.clients.pinecone.refusals import IndexBusy
from embedding_lakehouse.core.records import Body

IN_FLIGHT = 4
DELETE_IDS = 1_000
# The service allows 1,000, but they travel in the address, which proxies cut at 8 KB.
FETCH_IDS = 100


@dataclass(frozen=True, slots=True)
class Written:
    """What requests wrote or removed: records, requests, bytes of their bodies, and the log position of the last one, if told."""

    records: int = 0
    requests: int = 0
    bytes: int = 0
    lsn: int | None = None

    def __add__(self, other: "Written") -> "Written":
        positions = [lsn for lsn in (self.lsn, other.lsn) if lsn is not None]
        return Written(self.records + other.records, self.requests + other.requests, self.bytes + other.bytes, max(positions, default=None))


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the index answers it; `values` is float32, `score` is set by a search only."""

    record_id: str
    values: np.ndarray
    metadata: dict[str, Any]
    score: float | None = None


class VectorIndex(Namespaces, Aliases, Imports):
    """The records of one index, by namespace. Every call waits out a busy index, for at most `patience` seconds a request."""

    def upsert(self, bodies: Iterable[Body]) -> Written:
        """Send the request bodies, several at a time; each answer must count every record of its request."""
        written, waiting = Written(), set[Future[Written]]()
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            try:
                for body in bodies:
                    waiting.add(pool.submit(self._upsert, body))
                    # One more is ready when an answer comes: what made it would otherwise stand still meanwhile.
                    if len(waiting) > IN_FLIGHT:
                        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        written = sum((sent.result() for sent in done), written)
                return sum((sent.result() for sent in waiting), written)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _upsert(self, body: Body) -> Written:
        def send() -> Written:
            answer = self._sdk._http.post("/vectors/upsert", json=orjson.Fragment(body.content))
            count = orjson.loads(answer.content).get("upsertedCount")
            if count != body.record_count:
                raise IndexBusy(f"the index took {count} of {body.record_count} records of a request")
            return Written(body.record_count, 1, len(body.content), _committed(answer))

        return self._patiently("upsert", send)

    def delete(self, namespace: str, record_ids: Iterable[str]) -> Written:
        """Remove the records; those that are not there, or whose namespace is not, are removed already."""
        written, remaining = Written(), iter(record_ids)
        while ids := list(islice(remaining, DELETE_IDS)):
            written += self._patiently("delete", partial(self._delete, namespace, ids))
        return written

    def _delete(self, namespace: str, ids: list[str]) -> Written:
        body = orjson.dumps({"namespace": namespace, "ids": ids})
        try:
            answer = self._sdk._http.post("/vectors/delete", json=orjson.Fragment(body))
        except NotFoundError:
            return Written(len(ids), 1, len(body))
        return Written(len(ids), 1, len(body), _committed(answer))

    def fetch(self, namespace: str, record_ids: Sequence[str]) -> dict[str, Record]:
        """The records of these ids that the namespace holds."""
        found: dict[str, Record] = {}
        for start in range(0, len(record_ids), FETCH_IDS):
            ids = list(record_ids[start : start + FETCH_IDS])
            answer = self._patiently("fetch", partial(self._sdk.fetch, ids=ids, namespace=namespace))
            found |= {name: _record(vector) for name, vector in answer.vectors.items()}
        return found

    def search(self, namespace: str, vector: np.ndarray, top_k: int, condition: dict[str, Any] | None = None) -> list[Record]:
        """The `top_k` nearest records that meet the metadata filter, best first. Raises ConfigurationError for a filter it refuses."""
        answer = self._patiently("search", lambda: self._query(namespace, vector, top_k, condition))
        return [_record(match, match.score) for match in answer.matches]

    def dimension(self) -> int | None:
        """Dimensions of the index's vectors, as it says itself."""
        return self._patiently("describe", self._sdk.describe_index_stats).dimension

    def reconciled_lsn(self, namespace: str, vector: np.ndarray) -> int | None:
        """The log position up to which a search in the namespace sees every write; None where the service does not say."""
        answer = self._patiently("search", lambda: self._query(namespace, vector, 1, None))
        return answer.response_info.lsn_reconciled

    def _query(self, namespace: str, vector: np.ndarray, top_k: int, condition: dict[str, Any] | None) -> Any:
        return self._sdk.query(namespace=namespace, vector=vector.tolist(), top_k=top_k, filter=condition, include_metadata=True)


def _record(vector: Any, score: float | None = None) -> Record:
    return Record(vector.id, np.asarray(vector.values, dtype=np.float32), dict(vector.metadata or {}), score)


def _committed(answer: Any) -> int | None:
    return ResponseInfo(raw_headers=dict(answer.headers)).lsn_committed
