"""The nearest records of a vector, or of a record's vector: the query of the vectors API, and the search of the records API."""

from dataclasses import dataclass

import numpy as np
from fastapi import APIRouter, Response

from dev.pinecone_server import limits
from dev.pinecone_server.catalog import Index
from dev.pinecone_server.errors import invalid, unsupported
from dev.pinecone_server.filters import Predicate, compile_filter
from dev.pinecone_server.records import Match, Records
from dev.pinecone_server.requests import USAGE, RawBody, TheStore, VectorsIndex, answer, parsed, served

router = APIRouter(prefix="/svc/{host_id}")

SCAN_FACTORS = (0.5, 4.0)
MOST_CANDIDATES = 100_000


@router.post("/query")
def query(store: TheStore, index: VectorsIndex, raw: RawBody) -> Response:
    """Find the nearest records of a vector, or of a record's vector."""
    body = parsed(raw)
    namespace = index.resolve(limits.namespace_name(body.get("namespace")))
    top_k = limits.whole_number("topK", body.get("topK"), limits.MOST_MATCHES)
    _refuse_sparse(body)
    limits.within("scanFactor", body.get("scanFactor"), *SCAN_FACTORS)
    limits.whole_number("maxCandidates", body.get("maxCandidates"), MOST_CANDIDATES, default=MOST_CANDIDATES)
    wanted = _wanted(index, top_k, body, body.get("vector"))

    def found(records: Records) -> list[dict]:
        return [_match(records, match, body) for match in wanted.among(records)]

    matches, lsn = store.read(index, namespace, found)
    named = served(body.get("namespace"), namespace)
    return _limited(answer({"results": [], "matches": matches, "namespace": named, "usage": USAGE}, indexed=lsn))


@router.post("/records/namespaces/{name:path}/search")
def search(store: TheStore, index: VectorsIndex, name: str, raw: RawBody) -> Response:
    """Find the nearest records of a vector, or of a record's vector, with the metadata fields that are asked for."""
    body = parsed(raw)
    namespace = index.resolve(limits.given_namespace(name))
    asked = _object("query", body.get("query"))
    for given, what in ((asked.get("inputs"), "inference"), (body.get("rerank"), "inference"), (asked.get("match_terms"), "full text")):
        if given:
            raise unsupported(what)
    top_k = limits.whole_number("query.top_k", asked.get("top_k"), limits.MOST_MATCHES)
    wanted = _wanted(index, top_k, asked, _dense(asked.get("vector")))
    fields = _fields(body.get("fields"))

    def found(records: Records) -> list[dict]:
        return [_hit(records, match, fields) for match in wanted.among(records)]

    hits, lsn = store.read(index, namespace, found)
    return _limited(answer({"result": {"hits": hits}, "namespace": namespace, "usage": {"read_units": 1}}, indexed=lsn))


@dataclass(frozen=True)
class Wanted:
    """How many of the nearest records of a vector, or of a record's vector, are wanted, and which records may be among them."""

    metric: str
    top_k: int
    vector: np.ndarray | None
    record: str
    predicate: Predicate | None

    def among(self, records: Records) -> list[Match]:
        """Return the matches, best first; an unknown record has none."""
        row = records.row(self.record) if self.vector is None else None
        vector = self.vector if row is None else records.vector(row)
        return [] if vector is None else records.search(vector, self.metric, self.top_k, self.predicate)


def _wanted(index: Index, top_k: int, asked: dict, vector: object) -> Wanted:
    if (asked.get("id") is None) == (vector is None):
        raise invalid("Provide either 'id' or 'vector', and not both")
    condition = asked.get("filter")
    predicate = compile_filter(condition) if condition is not None and condition != {} else None
    if vector is None:
        return Wanted(index.metric, top_k, None, limits.record_id(asked["id"]), predicate)
    # A vector of zeros has no direction to compare.
    numbers = limits.vector(vector, index.dimension, may_be_zero=index.metric != "cosine")
    return Wanted(index.metric, top_k, numbers, "", predicate)


def _refuse_sparse(body: dict) -> None:
    if body.get("sparseVector") and body.get("vector") is None:
        raise invalid("Cannot query index with dense 'vector_type' with only sparse vector")
    if body.get("sparseVector") or body.get("queries"):
        raise unsupported("hybrid queries and several queries in one request")


def _dense(vector: object) -> object:
    if vector is None:
        return None
    parts = _object("query.vector", vector)
    if parts.get("sparse_values") or parts.get("sparse_indices"):
        raise unsupported("sparse vectors")
    return parts.get("values")


def _fields(names: object) -> list[str] | None:
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise invalid("fields must be a list of strings")
    return names


def _object(name: str, value: object) -> dict:
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return value


def _match(records: Records, match: Match, body: dict) -> dict:
    row = match.row
    found = {"id": records.ids[row], "score": match.score, "values": records.vector(row) if body.get("includeValues") is True else []}
    if body.get("includeMetadata") is True and records.metadata[row]:
        found["metadata"] = records.metadata[row]
    return found


def _hit(records: Records, match: Match, fields: list[str] | None) -> dict:
    metadata = records.metadata[match.row]
    kept = metadata if fields is None else {name: metadata[name] for name in fields if name in metadata}
    return {"_id": records.ids[match.row], "_score": match.score, "fields": kept}


def _limited(reply: Response) -> Response:
    if len(reply.body) > limits.MOST_RESULT_BYTES:
        raise invalid(
            f"The result has {len(reply.body)} bytes, the limit is {limits.MOST_RESULT_BYTES}: lower topK, or leave out values or metadata"
        )
    return reply
