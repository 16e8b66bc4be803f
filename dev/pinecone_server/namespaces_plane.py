"""The namespaces of an index."""

from fastapi import APIRouter, Response

from dev.pinecone_server import limits, pages
from dev.pinecone_server.catalog import DEFAULT_NAMESPACE, Index
from dev.pinecone_server.errors import invalid, not_found
from dev.pinecone_server.index_shapes import NEWEST_VERSION
from dev.pinecone_server.requests import RawBody, TheIndex, TheStore, Version, answer, parsed
from dev.pinecone_server.store import Store

router = APIRouter(prefix="/svc/{host_id}")


@router.get("/namespaces")
def list_namespaces(
    store: TheStore, index: TheIndex, version: Version, prefix: str | None = None, limit: str | None = None, paginationToken: str = ""
) -> Response:
    """Answer with a page of namespaces by name."""
    most = limits.whole_number("limit", limit, limits.MOST_LISTED, default=limits.MOST_LISTED)
    after, scope = pages.opened(paginationToken, "namespaces", {"prefix": limits.prefix(prefix)})
    matching = sorted(name for name in index.namespaces if name.startswith(scope.get("prefix", "")))
    names, more = pages.cut(matching, after, most)
    described = [_described(store, index, name, version) for name in names]
    return answer({"namespaces": described, "total_count": len(matching), **pages.pagination(names, more, scope)})


@router.post("/namespaces")
def create_namespace(store: TheStore, index: TheIndex, version: Version, raw: RawBody) -> Response:
    """Create an empty namespace, with the metadata fields to index if they are declared."""
    body = parsed(raw)
    if not body.get("name"):
        raise invalid("name must be a non-empty string")
    name = limits.namespace_name(body["name"])
    if name == DEFAULT_NAMESPACE:
        raise invalid(f"{DEFAULT_NAMESPACE} is reserved: it always exists")
    store.create_namespace(index, name, limits.metadata_schema(body.get("schema")), new=True)
    return answer(_described(store, store.catalog.indexes.at(index.host_id), name, version))


@router.get("/namespaces/{name:path}")
def describe_namespace(store: TheStore, index: TheIndex, version: Version, name: str) -> Response:
    """Answer with one namespace. The default one always exists."""
    name = limits.given_namespace(name)
    if name in index.aliases:
        raise invalid(f"{name} is a namespace alias: describe it as one.", reason="NAMESPACE_OPERATION_ON_ALIAS")
    if name not in index.namespaces and name != DEFAULT_NAMESPACE:
        raise not_found("Namespace not found")
    return answer(_described(store, index, name, version))


@router.delete("/namespaces/{name:path}")
def delete_namespace(store: TheStore, index: TheIndex, name: str) -> Response:
    """Delete a namespace with its records."""
    store.delete_namespace(index, limits.given_namespace(name))
    return answer({})


def _described(store: Store, index: Index, name: str, version: str) -> dict:
    count, size = store.read(index, name, lambda records: (len(records), records.bytes))[0]
    # 64-bit numbers are decimal strings since API 2026-07.
    number = str if version >= NEWEST_VERSION else int
    described: dict[str, object] = {"name": name, "record_count": number(count), "size_bytes": number(size)}
    schema = index.namespaces[name].schema if name in index.namespaces else None
    if schema:
        described |= {"schema": schema, "indexed_fields": {"fields": sorted(schema["fields"])}}
    return described
