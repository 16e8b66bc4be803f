"""Any JSON in any member of any body is answered or refused: an internal error would be tried again by every client."""

import copy
from collections.abc import Iterator

import httpx
import pytest
from pinecone import Index

from tests.integration.pinecone_server.conftest import SERVERLESS, Server

VALUES = [None, True, 3, -1.5, 2**64 - 1, "text", [], ["text"], [[1]], {}, {"a": 1}]
DEDICATED = {"node_type": "b1", "scaling": "Manual", "manual": {"shards": 1, "replicas": 1}}
CAPACITY = {"mode": "Dedicated", "dedicated": DEDICATED}
FIELDS = {"fields": {"genre": {"filterable": True}}}
FILTER = {"$and": [{"n": {"$gte": 1, "$in": [1]}}, {"$or": [{"text": "a"}]}]}
SCHEMA = {"fields": {"embedding": {"type": "dense_vector", "dimension": 2, "metric": "cosine"}}}
PLACE = {"cloud": "aws", "region": "us-east-1"}
OPTIONS = {"deletion_protection": "disabled", "tags": {"team": "search"}}
RECORD = {"id": "a", "values": [1.0, 0.5], "metadata": {"n": 1, "tags": ["x"]}, "sparseValues": None}

CONTROL = {
    "create": ("POST", "/indexes", {"name": None, "schema": SCHEMA, "deployment": {"deployment_type": "managed", **PLACE}, **OPTIONS}),
    "create dedicated": ("POST", "/indexes", {"name": None, "schema": SCHEMA, "read_capacity": CAPACITY}),
    "create of a text": ("POST", "/indexes", {"name": None, "schema": {"fields": {"body": {"type": "string", "full_text_search": {}}}}}),
    "create as before": (
        "POST",
        "/indexes",
        {
            "name": None,
            "dimension": 2,
            "metric": "cosine",
            "vector_type": "dense",
            "spec": {"serverless": {**PLACE, "read_capacity": CAPACITY, "schema": FIELDS, "source_collection": None}},
            **OPTIONS,
        },
    ),
    "configure": (
        "PATCH",
        "/indexes/{name}",
        {**OPTIONS, "read_capacity": CAPACITY, "deployment": None, "schema": None, "embed": None, "spec": None},
    ),
    "configure as before": ("PATCH", "/indexes/{name}", {"spec": {"serverless": {"read_capacity": CAPACITY}, "pod": None}}),
}
IN_INDEX = {
    "upsert": ("POST", "/vectors/upsert", {"namespace": "ns", "vectors": [RECORD, {**RECORD, "id": "b"}]}),
    "query": (
        "POST",
        "/query",
        {
            "namespace": "ns",
            "topK": 1,
            "vector": [1.0, 0.5],
            "filter": FILTER,
            "includeValues": True,
            "includeMetadata": True,
            "scanFactor": 1.0,
            "maxCandidates": 10,
            "sparseVector": None,
            "queries": None,
        },
    ),
    "query by id": ("POST", "/query", {"topK": 1, "id": "a"}),
    "search": (
        "POST",
        "/records/namespaces/ns/search",
        {
            "query": {
                "top_k": 1,
                "vector": {"values": [1.0, 0.5], "sparse_values": None},
                "filter": FILTER,
                "inputs": None,
                "match_terms": None,
            },
            "fields": ["n"],
            "rerank": None,
        },
    ),
    "search by id": ("POST", "/records/namespaces/ns/search", {"query": {"top_k": 1, "id": "a"}}),
    "fetch by metadata": (
        "POST",
        "/vectors/fetch_by_metadata",
        {"namespace": "ns", "filter": FILTER, "limit": 1, "paginationToken": None},
    ),
    "update": ("POST", "/vectors/update", {"namespace": "ns", "id": "a", "values": [1.0, 0.5], "setMetadata": {"n": 1}}),
    "update by metadata": ("POST", "/vectors/update", {"namespace": "ns", "filter": FILTER, "setMetadata": {"n": 1}, "dryRun": True}),
    "delete": ("POST", "/vectors/delete", {"namespace": "ns", "ids": ["b"]}),
    "delete by metadata": ("POST", "/vectors/delete", {"namespace": "ns", "filter": FILTER}),
    "delete all": ("POST", "/vectors/delete", {"namespace": "other", "deleteAll": True}),
    "statistics": ("POST", "/describe_index_stats", {"filter": None}),
    "create namespace": ("POST", "/namespaces", {"name": "made", "schema": FIELDS}),
    "create alias": ("POST", "/namespace-aliases", {"name": "live", "target_namespace": "ns"}),
    "repoint alias": ("PATCH", "/namespace-aliases/pointer", {"target_namespace": "ns"}),
    "import": ("POST", "/bulk/imports", {"uri": "/no/such/folder", "errorMode": {"onError": "abort"}, "integrationId": None}),
}


def places(part: object, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """The path of every member of a body, and of the first element of every list."""
    members = part.items() if isinstance(part, dict) else enumerate(part[:1]) if isinstance(part, list) else ()
    for name, member in members:
        yield (*path, name)
        yield from places(member, *path, name)


def bodies(good: dict) -> Iterator[dict]:
    """The good body with each value in each of its places."""
    for *way, last in places(good):
        for value in VALUES:
            body = copy.deepcopy(good)
            part = body
            for name in way:
                part = part[name]
            part[last] = value
            yield body


def internal_errors(http: httpx.Client, method: str, path: str, good: dict) -> list[tuple[dict, int, str]]:
    answers = ((body, http.request(method, path, json=body)) for body in bodies(good))
    return [(body, answer.status_code, answer.text) for body, answer in answers if answer.status_code >= 500 and answer.status_code != 501]


@pytest.mark.parametrize("route", CONTROL)
def test_no_member_of_the_control_plane_makes_an_internal_error(server: Server, route: str):
    method, path, body = CONTROL[route]
    before = set(server.client().list_indexes().names())
    name = server.client().indexes.create(dimension=2, spec=SERVERLESS).name
    with server.http() as http:
        assert internal_errors(http, method, path.format(name=name), body) == []
    made = set(server.client().list_indexes().names()) - before
    for each in made:
        server.client().indexes.delete(each)

    assert name in made


@pytest.mark.parametrize("route", IN_INDEX)
def test_no_member_of_a_request_to_an_index_makes_an_internal_error(server: Server, index: Index, route: str):
    method, path, body = IN_INDEX[route]
    index.upsert(vectors=[("a", [1.0, 0.0], {"n": 1})], namespace="ns")
    with server.http() as http:
        http.post(f"{index.host}/namespace-aliases", json={"name": "pointer", "target_namespace": "ns"}).raise_for_status()
        assert internal_errors(http, method, f"{index.host}{path}", body) == []
        assert http.post(f"{index.host}/describe_index_stats", json={}).status_code == 200


def test_no_member_of_the_faults_makes_an_internal_error(faulty: Server):
    rule = {"kind": "rate_limit", "share": 0.5, "times": 1, "path": "/q", "status": 500, "retry_after_s": 1, "requests_per_second": 1}
    with faulty.http() as http:
        assert internal_errors(http, "PUT", "/faults", {"seed": 1, "visibility_delay_ms": 0, "rules": [rule]}) == []


@pytest.mark.parametrize("depth", [300, 1000, 5000])
def test_a_body_nested_beyond_reason_is_refused(server: Server, index: Index, depth: int):
    nested = "[" * depth + "]" * depth
    with server.http() as http:
        answers = [
            http.post(f"{index.host}{path}", content=body % nested)
            for path, body in (
                ("/vectors/upsert", '{"vectors": [{"id": "a", "values": [1, 0], "metadata": {"n": %s}}]}'),
                ("/vectors/upsert", '{"vectors": [{"id": "a", "values": %s}]}'),
                ("/query", '{"topK": 1, "id": "a", "filter": {"n": {"$in": %s}}}'),
                ("/query", '{"topK": %s, "id": "a"}'),
                ("/namespaces", '{"name": %s}'),
            )
        ]

    assert [answer.status_code for answer in answers] == [400] * 5
