"""Indexes with a document schema of one dense vector: they are created and described, and leave the vectors API to others."""

from collections.abc import Callable

import httpx
import pytest
from pinecone import Index
from pinecone.errors import ApiError

from tests.integration.pinecone_server.conftest import Server

DENSE = {"type": "dense_vector", "dimension": 2, "metric": "cosine"}


@pytest.fixture
def documents(server: Server) -> Index:
    """An index whose one field is named `embedding`."""
    created = server.client().indexes.create(schema={"fields": {"embedding": DENSE}})
    return server.client().Index(created.name)


def create(server: Server, fields: dict) -> httpx.Response:
    with server.http() as http:
        return http.post("/indexes", json={"schema": {"fields": fields}})


def test_a_field_keeps_its_name(server: Server):
    created = server.client().indexes.create(name="a-document-index", schema={"fields": {"embedding": {**DENSE, "metric": "dotproduct"}}})

    described = server.client().indexes.describe("a-document-index")
    assert list(created.schema.fields) == list(described.schema.fields) == ["embedding"]
    assert (described.dimension, described.metric, described.schema.fields["embedding"].dimension) == (2, "dotproduct", 2)
    assert "a-document-index" in [index.name for index in server.client().indexes.list()]


@pytest.mark.parametrize("name", ["a", "Ä", "with space", "a" * 64])
def test_a_field_may_have_any_name_of_64_bytes(server: Server, name: str):
    assert list(create(server, {name: DENSE}).json()["schema"]["fields"]) == [name]


@pytest.mark.parametrize("name", ["", "_values2", "_id", "_sparse_values", "$field", "a" * 65, "ä" * 33])
def test_a_field_of_an_impossible_name_is_refused(server: Server, name: str):
    refused = create(server, {name: DENSE})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "fields",
    [
        {"embedding": DENSE, "other": DENSE},
        {"embedding": DENSE, "sparse": {"type": "sparse_vector"}},
        {"sparse": {"type": "sparse_vector"}},
        {"_sparse_values": {"type": "sparse_vector"}},
        {"body": {"type": "string", "full_text_search": {"language": "en"}}},
    ],
)
def test_other_schemas_are_refused_as_not_emulated(server: Server, fields: dict):
    refused = create(server, fields)

    assert refused.status_code == 501
    assert "does not emulate" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "operation",
    [
        lambda index: index.upsert(vectors=[("a", [1.0, 0.0])]),
        lambda index: index.query(vector=[1.0, 0.0], top_k=1),
        lambda index: index.search(namespace="ns", vector=[1.0, 0.0], top_k=1),
        lambda index: index.fetch(ids=["a"]),
        lambda index: index.fetch_by_metadata(filter={"n": 1}),
        lambda index: index.list_paginated(),
        lambda index: index.update(id="a", set_metadata={"n": 1}),
        lambda index: index.delete(ids=["a"]),
        lambda index: index.start_import("/folder", error_mode="abort"),
    ],
    ids=["upsert", "query", "search", "fetch", "fetch_by_metadata", "list", "update", "delete", "import"],
)
def test_the_vectors_api_is_refused_and_names_the_documents_api(documents: Index, operation: Callable[[Index], object]):
    with pytest.raises(ApiError, match="use the documents API") as refusal:
        operation(documents)
    assert refusal.value.status_code == 400


def test_statistics_and_namespaces_work(documents: Index):
    documents.create_namespace(name="ns")

    stats = documents.describe_index_stats()
    assert (stats.dimension, stats.total_vector_count, list(stats.namespaces)) == (2, 0, ["ns"])
    assert [each.name for each in documents.list_namespaces_paginated().namespaces] == ["ns"]
    documents.delete_namespace(name="ns")


@pytest.mark.parametrize("operation", ["upsert", "search", "fetch", "list", "update", "delete"])
def test_the_documents_api_is_refused_as_not_emulated(server: Server, documents: Index, operation: str):
    with server.http() as http:
        refused = http.post(f"{documents.host}/namespaces/ns/documents/{operation}", json={})

    assert (refused.status_code, refused.json()["error"]["code"]) == (501, "UNIMPLEMENTED")
