"""The control plane: create, list, describe, configure and delete indexes."""

from fastapi import APIRouter, Request, Response

from dev.pinecone_server import index_shapes, read_capacity
from dev.pinecone_server.catalog import Index
from dev.pinecone_server.errors import Code, Refusal, unsupported
from dev.pinecone_server.requests import RawBody, TheStore, Version, answer, parsed

router = APIRouter()


@router.get("/indexes")
def list_indexes(store: TheStore, version: Version, request: Request) -> Response:
    """Answer with all indexes, by name."""
    indexes = sorted(store.catalog.indexes.values(), key=lambda index: index.name)
    return answer({"indexes": [_described(index, version, request) for index in indexes]})


@router.post("/indexes")
def create_index(store: TheStore, version: Version, request: Request, raw: RawBody) -> Response:
    """Create an index, which is ready at once."""
    index = index_shapes.new_index(parsed(raw))
    with store.catalog.changing() as draft:
        if index.name in draft:
            raise Refusal(Code.ALREADY_EXISTS, "Resource already exists.")
        draft[index.name] = index
    return answer(_described(index, version, request), status=201)


@router.get("/indexes/{name}")
def describe_index(store: TheStore, version: Version, request: Request, name: str) -> Response:
    """Answer with one index."""
    return answer(_described(store.catalog.indexes.named(name), version, request))


@router.patch("/indexes/{name}")
def configure_index(store: TheStore, version: Version, request: Request, name: str, raw: RawBody) -> Response:
    """Change the deletion protection, the tags or the read capacity of an index."""
    body = parsed(raw)
    if body.get("embed") or body.get("schema"):
        raise unsupported("integrated embedding and changes of a schema")
    if body.get("deployment") or index_shapes.member(body, "spec").get("pod"):
        raise unsupported("pods")
    capacity = index_shapes.asked_capacity(body)
    with store.catalog.changing() as draft:
        index = draft.named(name)
        if body.get("deletion_protection") is not None:
            index.deletion_protection = index_shapes.protection(body["deletion_protection"])
        if body.get("tags") is not None:
            index.tags = index_shapes.changed_tags(index.tags, body["tags"])
        if capacity is not None:
            index.read_capacity = read_capacity.changed(index.read_capacity, capacity)
    return answer(_described(index, version, request), status=200 if version >= index_shapes.NEWEST_VERSION else 202)


@router.delete("/indexes/{name}")
def delete_index(store: TheStore, name: str) -> Response:
    """Delete an index with its records, unless it is protected."""
    store.delete_index(name)
    return Response(status_code=202)


def _described(index: Index, version: str, request: Request) -> dict:
    return index_shapes.describe(index, f"{request.base_url}svc/{index.host_id}", version)
