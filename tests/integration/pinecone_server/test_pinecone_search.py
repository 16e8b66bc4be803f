"""The records API's search through the real SDK: by vector and by id it works on every index, by text it needs a model."""

import httpx
import pytest
from pinecone import Index
from pinecone.errors import ApiError, ServiceError
from pinecone.models.vectors.search import Hit, SearchRecordsResponse

from tests.integration.pinecone_server.conftest import Server


@pytest.fixture
def filled(index: Index) -> Index:
    """An index of three records in the namespace `ns`."""
    records = [("a", [1.0, 0.0], {"kind": "x", "n": 1}), ("b", [1.0, 0.5], {"kind": "y", "n": 2}), ("c", [0.0, 1.0], {"kind": "y"})]
    index.upsert(vectors=records, namespace="ns")
    return index


def ids(found: SearchRecordsResponse) -> list[str]:
    return [hit.id for hit in found.result.hits]


def post(server: Server, index: Index, body: dict, namespace: str = "ns", version: str = "2026-07") -> httpx.Response:
    with server.http() as http:
        return http.post(
            f"{index.host}/records/namespaces/{namespace}/search", json=body, headers={"X-Pinecone-Api-Version": version}, timeout=30
        )


def test_a_search_by_vector_finds_the_nearest_with_all_their_fields(filled: Index):
    found = filled.search(namespace="ns", top_k=2, vector=[1.0, 0.0])

    assert found.result.hits[0] == Hit(id_="a", score_=1.0, fields={"kind": "x", "n": 1.0})
    assert (ids(found), found.usage.read_units, found.usage.embed_total_tokens) == (["a", "b"], 1, None)


def test_a_search_finds_what_a_query_finds(filled: Index):
    searched = filled.search(namespace="ns", top_k=3, vector=[0.3, 0.7]).result.hits
    queried = filled.query(namespace="ns", top_k=3, vector=[0.3, 0.7]).matches

    assert [(hit.id, hit.score) for hit in searched] == [(match.id, match.score) for match in queried]


def test_a_search_by_id_uses_that_record(filled: Index):
    assert ids(filled.search(namespace="ns", top_k=2, id="c")) == ["c", "b"]
    assert ids(filled.search(namespace="ns", top_k=2, id="missing")) == []


def test_a_search_answers_with_the_fields_that_are_asked_for(filled: Index):
    found = filled.search(namespace="ns", top_k=3, vector=[1.0, 0.0], fields=["n", "unknown"])

    assert [hit.fields for hit in found.result.hits] == [{"n": 1.0}, {"n": 2.0}, {}]


def test_a_filter_restricts_a_search(filled: Index):
    assert ids(filled.search(namespace="ns", top_k=3, vector=[1.0, 0.0], filter={"kind": "y"})) == ["b", "c"]


def test_a_search_through_an_alias_names_the_namespace_that_served_it(server: Server, filled: Index):
    with server.http() as http:
        http.post(f"{filled.host}/namespace-aliases", json={"name": "live", "target_namespace": "ns"}).raise_for_status()

    found = post(server, filled, {"query": {"top_k": 1, "id": "a"}}, "live").json()
    assert (found["namespace"], found["result"]["hits"][0]["_id"]) == ("ns", "a")


def test_a_search_knows_the_default_namespace_and_names_with_slashes(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])])
    index.upsert(vectors=[("b", [1.0, 0.0])], namespace="with/upsert/slash")

    assert ids(index.search(namespace="__default__", top_k=1, vector=[1.0, 0.0])) == ["a"]
    assert ids(index.search(namespace="with/upsert/slash", top_k=1, vector=[1.0, 0.0])) == ["b"]
    assert ids(index.search(namespace="missing", top_k=1, vector=[1.0, 0.0])) == []


def test_a_search_by_text_or_with_reranking_is_refused_as_not_emulated(filled: Index):
    with pytest.raises(ServiceError, match="does not emulate inference"):
        filled.search(namespace="ns", top_k=1, inputs={"text": "any"})
    with pytest.raises(ServiceError, match="does not emulate inference"):
        filled.search(namespace="ns", top_k=1, vector=[1.0, 0.0], rerank={"model": "bge-reranker-v2-m3", "rank_fields": ["kind"]})


def test_a_sparse_search_is_refused_as_not_emulated(filled: Index):
    with pytest.raises(ServiceError, match="does not emulate sparse"):
        filled.search(namespace="ns", top_k=1, vector={"sparse_indices": [1], "sparse_values": [0.5]})


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        ({}, "query must be an object"),
        ({"query": {"vector": {"values": [1.0, 0.0]}}}, "top_k must be"),
        ({"query": {"top_k": 0, "id": "a"}}, "top_k must be"),
        ({"query": {"top_k": 10_001, "id": "a"}}, "top_k must be"),
        ({"query": {"top_k": 1}}, "either 'id' or 'vector'"),
        ({"query": {"top_k": 1, "vector": {}}}, "either 'id' or 'vector'"),
        ({"query": {"top_k": 1, "id": "a", "vector": {"values": [1.0, 0.0]}}}, "either 'id' or 'vector'"),
        ({"query": {"top_k": 1, "vector": [1.0, 0.0]}}, "query.vector must be an object"),
        ({"query": {"top_k": 1, "vector": {"values": [1.0]}}}, "Vector dimension 1"),
        ({"query": {"top_k": 1, "vector": {"values": [0.0, 0.0]}}}, "non-zero"),
        ({"query": {"top_k": 1, "id": "a", "filter": {"a": {"$like": "b"}}}}, "not a valid operator"),
        ({"query": {"top_k": 1, "id": "a"}, "fields": "kind"}, "fields must be a list"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(server: Server, filled: Index, body: dict, trouble: str):
    refused = post(server, filled, body)

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert trouble in refused.json()["error"]["message"]


def test_a_search_of_no_namespace_is_refused(server: Server, filled: Index):
    assert post(server, filled, {"query": {"top_k": 1, "id": "a"}}, namespace="").status_code == 400


def test_before_2026_07_the_records_api_answers_errors_in_grpc_style(server: Server, filled: Index):
    refused = post(server, filled, {}, version="2026-04")

    assert (refused.status_code, refused.json()["code"]) == (400, 3)


def test_the_sdk_reads_why_a_search_is_refused(filled: Index):
    with pytest.raises(ApiError, match="Vector dimension 3"):
        filled.search(namespace="ns", top_k=1, vector=[1.0, 0.0, 0.0])
