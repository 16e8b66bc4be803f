"""Namespaces through the real SDK, and their aliases over plain HTTP, since the SDK has none."""

from collections.abc import Iterator

import httpx
import pytest
from pinecone import ConflictError, Index, NotFoundError
from pinecone.errors import ApiError

from tests.integration.pinecone_server.conftest import Server


@pytest.fixture
def http(server: Server, index: Index) -> Iterator[httpx.Client]:
    """A client of the index's host."""
    with server.http() as client:
        client.base_url = index.host
        yield client


def put(index: Index, namespace: str, name: str = "a") -> None:
    index.upsert(vectors=[(name, [1.0, 0.0])], namespace=namespace)


def reason(response: httpx.Response) -> str:
    return response.json()["details"][0]["reason"]


def test_a_created_namespace_is_empty_and_described_with_its_schema(index: Index):
    index.create_namespace(name="ns", schema={"fields": {"genre": {"filterable": True}}})

    described = index.describe_namespace(name="ns")
    assert (described.name, described.record_count, described.indexed_fields.fields) == ("ns", 0, ["genre"])


def test_a_namespace_is_created_once(index: Index):
    put(index, "ns")

    with pytest.raises(ConflictError):
        index.create_namespace(name="ns")


def test_the_default_namespace_exists_before_anything_is_written(index: Index):
    assert index.describe_namespace(name="__default__").record_count == 0
    index.delete(ids=["a"])


def test_namespaces_are_listed_by_name_prefix_and_page(index: Index):
    for name in ("b", "a2", "a1", "a3"):
        put(index, name)

    first = index.list_namespaces_paginated(prefix="a", limit=2)
    second = index.list_namespaces_paginated(prefix="a", limit=2, pagination_token=first.pagination.next)
    assert ([each.name for each in first], [each.name for each in second], first.total_count) == (["a1", "a2"], ["a3"], 3)


def test_a_deleted_namespace_is_gone_with_its_records(index: Index):
    put(index, "ns")

    index.delete_namespace(name="ns")

    with pytest.raises(NotFoundError):
        index.describe_namespace(name="ns")
    assert index.fetch(ids=["a"], namespace="ns").vectors == {}


def test_a_namespace_can_be_written_again_after_its_delete(index: Index):
    put(index, "ns", "old")
    index.delete_namespace(name="ns")

    put(index, "ns", "new")

    assert set(index.fetch(ids=["old", "new"], namespace="ns").vectors) == {"new"}


@pytest.mark.parametrize("name", ["with/slash", "a/documents", "with space", "..", "%2F", "a?b#c&d=e"])
def test_a_namespace_may_have_any_ascii_name(index: Index, name: str):
    put(index, name)

    assert index.describe_namespace(name=name).record_count == 1
    assert set(index.fetch(ids=["a"], namespace=name).vectors) == {"a"}
    index.delete_namespace(name=name)


def test_counts_are_decimal_text_since_2026_07_and_numbers_before(index: Index, http: httpx.Client):
    put(index, "ns")

    newest = http.get("/namespaces/ns", headers={"X-Pinecone-Api-Version": "2026-07"}).json()
    older = http.get("/namespaces/ns", headers={"X-Pinecone-Api-Version": "2026-04"}).json()
    assert (newest["record_count"], older["record_count"]) == ("1", 1)


def test_reads_through_an_alias_come_from_its_target(index: Index, http: httpx.Client):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"}).raise_for_status()

    assert [match.id for match in index.query(vector=[1.0, 0.0], top_k=1, namespace="live").matches] == ["a"]
    assert index.fetch(ids=["a"], namespace="live").namespace == "v1"
    assert [item.id for page in index.list(namespace="live") for item in page] == ["a"]


def test_an_alias_is_repointed_at_once(index: Index, http: httpx.Client):
    put(index, "v1", "old")
    put(index, "v2", "new")
    created = http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"}).json()

    repointed = http.patch("/namespace-aliases/live", json={"target_namespace": "v2"}).json()

    assert [match.id for match in index.query(vector=[1.0, 0.0], top_k=1, namespace="live").matches] == ["new"]
    assert repointed["created_at"] == created["created_at"] == created["updated_at"]
    assert http.get("/namespace-aliases/live").json() == repointed


def test_a_failed_repointing_leaves_the_alias_as_it_was(index: Index, http: httpx.Client):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})

    assert reason(http.patch("/namespace-aliases/live", json={"target_namespace": "missing"})) == "TARGET_NAMESPACE_NOT_FOUND"
    assert http.get("/namespace-aliases/live").json()["target_namespace"] == "v1"


def test_after_its_delete_an_alias_reads_as_nothing(index: Index, http: httpx.Client):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})

    assert http.delete("/namespace-aliases/live").json() == {}

    assert index.query(vector=[1.0, 0.0], top_k=1, namespace="live").matches == []
    assert http.delete("/namespace-aliases/live").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("/vectors/upsert", {"vectors": [{"id": "b", "values": [1.0, 0.0]}]}, 409, "NAME_IN_USE_BY_ALIAS"),
        ("/vectors/update", {"id": "a", "setMetadata": {"n": 1}}, 400, "WRITE_TO_ALIAS"),
        ("/vectors/delete", {"deleteAll": True}, 400, "WRITE_TO_ALIAS"),
    ],
)
def test_writes_through_an_alias_are_refused(index: Index, http: httpx.Client, path: str, body: dict, status: int, why: str):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})

    refused = http.post(path, json={**body, "namespace": "live"})

    assert (refused.status_code, reason(refused)) == (status, why)
    assert set(index.fetch(ids=["a", "b"], namespace="v1").vectors) == {"a"}


def test_an_alias_is_no_namespace_to_describe_delete_or_create(index: Index, http: httpx.Client):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})

    assert reason(http.get("/namespaces/live")) == "NAMESPACE_OPERATION_ON_ALIAS"
    assert reason(http.delete("/namespaces/live")) == "NAMESPACE_OPERATION_ON_ALIAS"
    assert reason(http.post("/namespaces", json={"name": "live"})) == "NAME_IN_USE_BY_ALIAS"


def test_the_target_of_an_alias_is_not_deleted(index: Index, http: httpx.Client):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})

    with pytest.raises(ApiError, match="target of an alias"):
        index.delete_namespace(name="v1")
    assert set(index.fetch(ids=["a"], namespace="live").vectors) == {"a"}


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({"name": "live", "target_namespace": "v1"}, 409, "ALIAS_ALREADY_EXISTS"),
        ({"name": "v1", "target_namespace": "v1"}, 409, "NAME_IN_USE_BY_NAMESPACE"),
        ({"name": "other", "target_namespace": "missing"}, 400, "TARGET_NAMESPACE_NOT_FOUND"),
        ({"name": "other", "target_namespace": "live"}, 400, "TARGET_IS_ALIAS"),
        ({"name": "other"}, 400, "TARGET_NAMESPACE_REQUIRED"),
        ({"name": "with space", "target_namespace": "v1"}, 400, "ALIAS_NAME_INVALID"),
        ({"name": "__default__", "target_namespace": "v1"}, 400, "ALIAS_NAME_INVALID"),
    ],
)
def test_an_alias_that_cannot_be_had_is_refused_with_its_reason(index: Index, http: httpx.Client, body: dict, status: int, why: str):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})

    refused = http.post("/namespace-aliases", json=body)

    assert (refused.status_code, reason(refused)) == (status, why)


def test_a_second_create_tells_the_target_that_the_first_one_set(index: Index, http: httpx.Client):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})

    refused = http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})
    assert refused.json()["details"][0]["metadata"] == {"target_namespace": "v1"}


def test_aliases_are_listed_by_name_prefix_target_and_page(index: Index, http: httpx.Client):
    put(index, "v1")
    put(index, "v2")
    for name, target in (("b", "v1"), ("a1", "v1"), ("a2", "v2"), ("a3", "v1")):
        http.post("/namespace-aliases", json={"name": name, "target_namespace": target})

    def listed(**query: object) -> tuple[list[str], int, str | None]:
        page = http.get("/namespace-aliases", params=query).json()
        return [alias["name"] for alias in page["namespace_aliases"]], page["total_count"], page.get("pagination", {}).get("next")

    assert listed() == (["a1", "a2", "a3", "b"], 4, None)
    assert listed(prefix="a", target_namespace="v1") == (["a1", "a3"], 2, None)
    names, total, token = listed(prefix="a", limit=2)
    assert (names, total) == (["a1", "a2"], 3)
    assert listed(paginationToken=token, limit=2)[0] == ["a3"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many"])
def test_a_page_of_aliases_of_an_impossible_size_is_refused_with_its_reason(http: httpx.Client, limit: str):
    refused = http.get("/namespace-aliases", params={"limit": limit})

    assert (refused.status_code, reason(refused)) == (400, "LIST_INVALID_LIMIT")


@pytest.mark.parametrize("listing", ["/namespace-aliases", "/namespaces", "/vectors/list"])
@pytest.mark.parametrize(
    ("prefix", "why"),
    [("a\0b", "PREFIX_MUST_NOT_CONTAIN_NULL_CHARACTER"), ("ä", "PREFIX_MUST_BE_ASCII"), ("a" * 513, "PREFIX_TOO_LONG")],
)
def test_a_prefix_that_no_name_can_have_is_refused_with_its_reason(http: httpx.Client, listing: str, prefix: str, why: str):
    refused = http.get(listing, params={"prefix": prefix})

    assert (refused.status_code, reason(refused)) == (400, why)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/namespace-aliases"),
        ("POST", "/namespace-aliases"),
        ("GET", "/namespace-aliases/live"),
        ("PATCH", "/namespace-aliases/live"),
        ("DELETE", "/namespace-aliases/live"),
    ],
)
def test_before_2026_07_there_are_no_aliases(index: Index, http: httpx.Client, method: str, path: str):
    put(index, "v1")
    http.post("/namespace-aliases", json={"name": "live", "target_namespace": "v1"})

    refused = http.request(method, path, json={"name": "live", "target_namespace": "v1"}, headers={"X-Pinecone-Api-Version": "2026-04"})

    assert (refused.status_code, reason(refused)) == (400, "API_VERSION_TOO_OLD")
    assert http.get("/namespace-aliases/live").status_code == 200


def test_a_token_is_good_for_the_listing_that_gave_it_alone(index: Index, http: httpx.Client):
    for name in ("v1", "v2"):
        put(index, name)
        put(index, name, "b")
        http.post("/namespace-aliases", json={"name": f"live-{name}", "target_namespace": name}).raise_for_status()
    listings = ("/namespaces", "/namespace-aliases", "/vectors/list?namespace=v1")
    tokens = {path: http.get(path, params={"limit": 1}).json()["pagination"]["next"] for path in ("/namespaces", "/namespace-aliases")}

    for given_by, token in tokens.items():
        assert http.get(given_by, params={"paginationToken": token}).status_code == 200
        for other in set(listings) - {given_by}:
            refused = http.get(other, params={"paginationToken": token})
            assert (refused.status_code, reason(refused)) == (400, "INVALID_PAGINATION_TOKEN")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_path_that_names_no_namespace_does_not_mean_the_default_one(index: Index, http: httpx.Client, method: str):
    index.upsert(vectors=[("a", [1.0, 0.0])])

    assert http.request(method, "/namespaces/").status_code == 400
    assert set(index.fetch(ids=["a"]).vectors) == {"a"}


def test_an_unknown_parameter_of_the_alias_listing_is_refused(http: httpx.Client):
    assert http.get("/namespace-aliases", params={"target": "v1"}).status_code == 400
