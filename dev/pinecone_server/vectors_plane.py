"""The vectors API of an index: upsert, fetch, list, update, delete, and the index's statistics."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from dev.pinecone_server import limits, pages
from dev.pinecone_server.catalog import Index
from dev.pinecone_server.errors import Code, Refusal, invalid, unsupported
from dev.pinecone_server.filters import compile_filter
from dev.pinecone_server.records import Change, Records
from dev.pinecone_server.requests import USAGE, RawBody, TheIndex, TheStore, VectorsIndex, answer, parsed, served

router = APIRouter(prefix="/svc/{host_id}")

MOST_FETCHED = 10_000


@router.post("/vectors/upsert")
def upsert(store: TheStore, index: VectorsIndex, request: Request, raw: RawBody) -> Response:
    """Put up to 1,000 records; the answer comes when they are on the disk."""
    limits.upsert_size(len(raw))
    body = parsed(raw)
    change = limits.upsert(body.get("vectors"), index.dimension)
    namespace = limits.namespace_name(body.get("namespace"))
    if getattr(request.state, "write_half", False):
        half = len(change.ids) // 2
        store.write(index, namespace, lambda _: change.first(half), create=True)
        raise Refusal(Code.INTERNAL, f"Injected fault: {half} of {len(change.ids)} records were written.")
    lsn = store.write(index, namespace, lambda _: change, create=True)
    return answer({"upsertedCount": len(body["vectors"])}, written=lsn)


@router.get("/vectors/fetch")
def fetch(store: TheStore, index: VectorsIndex, ids: Annotated[list[str] | None, Query()] = None, namespace: str = "") -> Response:
    """Answer with the records of some ids; unknown ones are left out."""
    wanted = limits.record_ids(ids)
    namespace_read = index.resolve(limits.namespace_name(namespace))
    vectors, lsn = store.read(index, namespace_read, lambda records: _fetched(records, wanted))
    return answer({"vectors": vectors, "namespace": served(namespace, namespace_read), "usage": USAGE}, indexed=lsn)


@router.post("/vectors/fetch_by_metadata")
def fetch_by_metadata(store: TheStore, index: VectorsIndex, raw: RawBody) -> Response:
    """Answer with a page of the records that match a filter, by id."""
    body = parsed(raw)
    if not body.get("filter"):
        raise invalid("Empty filter provided for fetch by metadata request")
    predicate = compile_filter(body["filter"])
    limit = limits.whole_number("limit", body.get("limit"), MOST_FETCHED, default=100)
    namespace = index.resolve(limits.namespace_name(body.get("namespace")))
    after, scope = pages.opened(body.get("paginationToken"), "records by metadata", {"namespace": namespace})

    def found(records: Records) -> tuple[dict, dict]:
        matching = sorted(records.ids[row] for row in records.matching(predicate))
        ids, more = pages.cut(matching, after, limit)
        return _fetched(records, ids), pages.pagination(ids, more, scope)

    (vectors, pagination), lsn = store.read(index, namespace, found)
    return answer({"vectors": vectors, "namespace": served(body.get("namespace"), namespace), "usage": USAGE, **pagination}, indexed=lsn)


@router.get("/vectors/list")
def list_ids(
    store: TheStore,
    index: VectorsIndex,
    prefix: str | None = None,
    limit: str | None = None,
    paginationToken: str = "",
    namespace: str = "",
) -> Response:
    """Answer with a page of ids in sorted order."""
    most = limits.whole_number("limit", limit, limits.MOST_LISTED, default=limits.MOST_LISTED)
    namespace_read = index.resolve(limits.namespace_name(namespace))
    after, scope = pages.opened(paginationToken, "ids", {"namespace": namespace_read, "prefix": limits.prefix(prefix)})
    (ids, more), lsn = store.read(index, namespace_read, lambda records: records.page(scope.get("prefix", ""), after, most))
    listed = {"vectors": [{"id": record} for record in ids], "namespace": served(namespace, namespace_read), "usage": USAGE}
    return answer({**listed, **pages.pagination(ids, more, scope)}, indexed=lsn)


@router.post("/vectors/update")
def update(store: TheStore, index: VectorsIndex, raw: RawBody) -> Response:
    """Change the values or the metadata of one record, or the metadata of all that match a filter; an unknown id changes nothing."""
    body = parsed(raw)
    namespace = limits.namespace_name(body.get("namespace"))
    fields = limits.metadata(body.get("setMetadata"))
    if body.get("sparseValues"):
        raise unsupported("sparse values")
    if (body.get("id") is None) == (body.get("filter") is None):
        raise invalid("Provide either 'id' or 'filter', and not both")
    if body.get("filter") is not None:
        return _update_matching(store, index, namespace, body, fields)
    record = limits.record_id(body["id"])
    values = None if body.get("values") is None else limits.vector(body["values"], index.dimension, record=record)

    def plan(records: Records) -> Change | None:
        row = records.row(record)
        if row is None:
            return None
        vector = records.vector(row) if values is None else values
        return Change([record], vector[None, :], [limits.metadata({**records.metadata[row], **fields})])

    return answer({}, written=store.write(index, namespace, plan))


def _update_matching(store: TheStore, index: Index, namespace: str, body: dict, fields: dict) -> Response:
    if not body["filter"]:
        raise invalid("Update with empty metadata filter is not allowed")
    if body.get("values") is not None:
        raise invalid("Update by metadata request does not support updating vector values.")
    predicate = compile_filter(body["filter"])
    rows: list[int] = []

    def plan(records: Records) -> Change | None:
        rows[:] = records.matching(predicate)
        if not rows or body.get("dryRun") is True:
            return None
        merged = [limits.metadata({**records.metadata[row], **fields}) for row in rows]
        return Change([records.ids[row] for row in rows], records.vectors(rows), merged)

    lsn = store.write(index, namespace, plan)
    return answer({"matchedRecords": len(rows)}, written=lsn)


@router.post("/vectors/delete")
def delete(store: TheStore, index: VectorsIndex, raw: RawBody) -> Response:
    """Delete records by id, by filter, or all of a namespace; unknown ids are ignored."""
    body = parsed(raw)
    namespace = limits.namespace_name(body.get("namespace"))
    ways = [body.get("ids") is not None, body.get("filter") is not None, body.get("deleteAll") is True]
    if sum(ways) != 1:
        raise invalid("Provide exactly one of 'ids', 'filter' and 'deleteAll'")
    if body.get("deleteAll") is True:
        return answer({}, written=store.write(index, namespace, lambda _: Change(clear=True)))
    if body.get("ids") is not None:
        ids = limits.record_ids(body["ids"])
        return answer({}, written=store.write(index, namespace, lambda _: Change(ids)))
    if not body["filter"]:
        raise invalid("Delete with empty metadata filter is not allowed")
    predicate = compile_filter(body["filter"])
    return answer(
        {}, written=store.write(index, namespace, lambda records: Change([records.ids[row] for row in records.matching(predicate)]))
    )


@router.post("/describe_index_stats")
def describe_index_stats(store: TheStore, index: TheIndex, raw: RawBody) -> Response:
    """Answer with the number of visible records in each namespace."""
    if parsed(raw).get("filter"):
        raise invalid("Serverless and Starter indexes do not support describing index stats with metadata filtering")
    counts = {name: store.read(index, name, len)[0] for name in sorted(index.namespaces)}
    return answer(
        {
            "namespaces": {name: {"vectorCount": count} for name, count in counts.items()},
            "dimension": index.dimension,
            "indexFullness": 0.0,
            "totalVectorCount": sum(counts.values()),
            "metric": index.metric,
            "vectorType": "dense",
        }
    )


def _fetched(records: Records, ids: list[str]) -> dict[str, dict]:
    vectors = {}
    for record in ids:
        if (row := records.row(record)) is not None:
            vectors[record] = {"id": record, "values": records.vector(row)}
            if records.metadata[row]:
                vectors[record]["metadata"] = records.metadata[row]
    return vectors
