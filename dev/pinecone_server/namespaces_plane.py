"""The namespaces of an index, and the aliases that readers may use for them."""

from fastapi import APIRouter, Request, Response

from dev.pinecone_server import limits, pages
from dev.pinecone_server.catalog import DEFAULT_NAMESPACE, Alias, Index, timestamp
from dev.pinecone_server.errors import Code, Refusal, invalid, not_found
from dev.pinecone_server.index_shapes import NEWEST_VERSION
from dev.pinecone_server.requests import RawBody, TheIndex, TheStore, Version, answer, parsed
from dev.pinecone_server.store import Store

router = APIRouter(prefix="/svc/{host_id}")

ALIAS_LISTING = {"limit", "paginationToken", "prefix", "target_namespace"}
MOST_FIELDS = 50


@router.get("/namespaces")
def list_namespaces(
    store: TheStore, index: TheIndex, version: Version, prefix: str | None = None, limit: str | None = None, paginationToken: str = ""
) -> Response:
    """Answer with a page of namespaces by name."""
    most = limits.whole_number("limit", limit, limits.MOST_LISTED, default=limits.MOST_LISTED)
    after, scope = pages.opened(paginationToken, {"prefix": limits.prefix(prefix)})
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
    store.create_namespace(index, name, _schema(body.get("schema")), new=True)
    return answer(_described(store, store.catalog.indexes.at(index.host_id), name, version))


@router.get("/namespaces/{name:path}")
def describe_namespace(store: TheStore, index: TheIndex, version: Version, name: str) -> Response:
    """Answer with one namespace. The default one always exists."""
    if name in index.aliases:
        raise invalid(f"{name} is a namespace alias: describe it as one.", reason="NAMESPACE_OPERATION_ON_ALIAS")
    if name not in index.namespaces and limits.namespace_name(name) != DEFAULT_NAMESPACE:
        raise not_found("Namespace not found")
    return answer(_described(store, index, name, version))


@router.delete("/namespaces/{name:path}")
def delete_namespace(store: TheStore, index: TheIndex, name: str) -> Response:
    """Delete a namespace with its records."""
    store.delete_namespace(index, limits.namespace_name(name))
    return answer({})


@router.get("/namespace-aliases")
def list_aliases(
    index: TheIndex,
    request: Request,
    prefix: str | None = None,
    target_namespace: str | None = None,
    limit: str | None = None,
    paginationToken: str = "",
) -> Response:
    """Answer with a page of aliases by name, of one target if it is asked for."""
    if unknown := set(request.query_params) - ALIAS_LISTING:
        raise invalid(f"Unknown query parameters: {', '.join(sorted(unknown))}")
    if target_namespace == "":
        raise invalid("target_namespace must not be empty", reason="TARGET_FILTER_EMPTY")
    most = limits.whole_number("limit", limit, limits.MOST_LISTED, default=limits.MOST_LISTED)
    after, scope = pages.opened(paginationToken, {"prefix": limits.prefix(prefix), "target": target_namespace})
    matching = sorted(
        alias.name for alias in index.aliases.values() if scope.get("target", alias.target_namespace) == alias.target_namespace
    )
    matching = [name for name in matching if name.startswith(scope.get("prefix", ""))]
    names, more = pages.cut(matching, after, most)
    listed = {"namespace_aliases": [index.aliases[name] for name in names], "total_count": len(matching)}
    return answer({**listed, **pages.pagination(names, more, scope)})


@router.post("/namespace-aliases")
def create_alias(store: TheStore, index: TheIndex, raw: RawBody) -> Response:
    """Create an alias for a namespace that exists."""
    body = parsed(raw)
    name = limits.alias_name(body.get("name"))
    with store.catalog.changing() as draft:
        current = draft.at(index.host_id)
        if name in current.aliases:
            target = current.aliases[name].target_namespace
            raise Refusal(Code.ALREADY_EXISTS, f"Alias {name} already exists.", reason="ALIAS_ALREADY_EXISTS", target_namespace=target)
        if name in current.namespaces:
            raise Refusal(Code.ALREADY_EXISTS, f"{name} is the name of a namespace.", reason="NAME_IN_USE_BY_NAMESPACE")
        now = timestamp()
        alias = current.aliases[name] = Alias(name, _target(current, body), now, now)
    return answer(alias)


@router.get("/namespace-aliases/{name}")
def describe_alias(index: TheIndex, name: str) -> Response:
    """Answer with one alias."""
    return answer(_alias(index, name))


@router.patch("/namespace-aliases/{name}")
def repoint_alias(store: TheStore, index: TheIndex, name: str, raw: RawBody) -> Response:
    """Let an alias lead to another namespace; readers see the one or the other, and never neither."""
    body = parsed(raw)
    with store.catalog.changing() as draft:
        current = draft.at(index.host_id)
        alias = _alias(current, name)
        alias.target_namespace = _target(current, body)
        alias.updated_at = timestamp()
    return answer(alias)


@router.delete("/namespace-aliases/{name}")
def delete_alias(store: TheStore, index: TheIndex, name: str) -> Response:
    """Delete an alias; its target stays."""
    with store.catalog.changing() as draft:
        current = draft.at(index.host_id)
        _alias(current, name)
        del current.aliases[name]
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


def _alias(index: Index, name: str) -> Alias:
    if limits.alias_name(name) not in index.aliases:
        raise not_found(f"Alias {name} not found")
    return index.aliases[name]


def _target(index: Index, body: dict) -> str:
    if not body.get("target_namespace"):
        raise invalid("target_namespace must be a non-empty string", reason="TARGET_NAMESPACE_REQUIRED")
    target = limits.namespace_name(body["target_namespace"])
    if target in index.aliases:
        raise invalid(f"{target} is itself an alias", reason="TARGET_IS_ALIAS")
    if target not in index.namespaces and target != DEFAULT_NAMESPACE:
        raise invalid(f"Namespace {target} does not exist", reason="TARGET_NAMESPACE_NOT_FOUND")
    return target


def _schema(schema: object) -> dict | None:
    if schema is None:
        return None
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, dict) or len(fields) > MOST_FIELDS:
        raise invalid(f"schema.fields must be an object of at most {MOST_FIELDS} fields")
    for name, field in fields.items():
        if name.startswith("$"):
            raise invalid(f"Field '{name}' must not begin with $, which is reserved for filters")
        if not isinstance(field, dict) or field.get("filterable") is not True:
            raise invalid(f"Field '{name}' is set to filterable: false. Only filterable: true is supported.")
    return {"fields": fields}
