"""The aliases that readers may use for the namespaces of an index, since API 2026-07."""

from fastapi import APIRouter, Depends, Request, Response

from dev.pinecone_server import limits, pages
from dev.pinecone_server.catalog import DEFAULT_NAMESPACE, Alias, Index, timestamp
from dev.pinecone_server.errors import Code, Refusal, invalid, not_found
from dev.pinecone_server.index_shapes import NEWEST_VERSION
from dev.pinecone_server.requests import RawBody, TheIndex, TheStore, Version, answer, parsed

ALIAS_LISTING = {"limit", "paginationToken", "prefix", "target_namespace"}


async def _new_enough(version: Version) -> None:
    if version < NEWEST_VERSION:
        message = f"Namespace aliases need API version {NEWEST_VERSION} or newer, the request names {version}"
        raise invalid(message, reason="API_VERSION_TOO_OLD")


router = APIRouter(prefix="/svc/{host_id}/namespace-aliases", dependencies=[Depends(_new_enough)])


@router.get("")
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
    most = limits.whole_number("limit", limit, limits.MOST_LISTED, default=limits.MOST_LISTED, reason="LIST_INVALID_LIMIT")
    after, scope = pages.opened(paginationToken, "aliases", {"prefix": limits.prefix(prefix), "target": target_namespace})
    matching = sorted(
        alias.name for alias in index.aliases.values() if scope.get("target", alias.target_namespace) == alias.target_namespace
    )
    matching = [name for name in matching if name.startswith(scope.get("prefix", ""))]
    names, more = pages.cut(matching, after, most)
    listed = {"namespace_aliases": [index.aliases[name] for name in names], "total_count": len(matching)}
    return answer({**listed, **pages.pagination(names, more, scope)})


@router.post("")
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


@router.get("/{name}")
def describe_alias(index: TheIndex, name: str) -> Response:
    """Answer with one alias."""
    return answer(_alias(index, name))


@router.patch("/{name}")
def repoint_alias(store: TheStore, index: TheIndex, name: str, raw: RawBody) -> Response:
    """Let an alias lead to another namespace; readers see the one or the other, and never neither."""
    body = parsed(raw)
    with store.catalog.changing() as draft:
        current = draft.at(index.host_id)
        alias = _alias(current, name)
        alias.target_namespace = _target(current, body)
        alias.updated_at = timestamp()
    return answer(alias)


@router.delete("/{name}")
def delete_alias(store: TheStore, index: TheIndex, name: str) -> Response:
    """Delete an alias; its target stays."""
    with store.catalog.changing() as draft:
        current = draft.at(index.host_id)
        _alias(current, name)
        del current.aliases[name]
    return answer({})


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
