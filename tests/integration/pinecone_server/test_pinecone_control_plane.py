"""Indexes through the real SDK and, where older API versions differ, over plain HTTP."""

import pytest
from pinecone import ConflictError, ForbiddenError, NotFoundError, Pinecone, UnauthorizedError

from tests.integration.pinecone_server.conftest import SERVERLESS, Server


def test_an_index_is_ready_as_soon_as_it_is_created(server: Server):
    created = server.client().create_index(name="ready-at-once", dimension=8, metric="dotproduct", spec=SERVERLESS, tags={"team": "search"})

    assert (created.status.ready, created.dimension, created.metric, created.tags) == (True, 8, "dotproduct", {"team": "search"})


def test_a_created_index_is_listed_and_found(server: Server):
    server.client().create_index(name="to-be-found", dimension=8, spec=SERVERLESS)

    assert "to-be-found" in server.client().list_indexes().names()
    assert server.client().has_index("to-be-found")


def test_a_name_is_taken_once(server: Server):
    server.client().create_index(name="taken", dimension=8, spec=SERVERLESS)

    with pytest.raises(ConflictError):
        server.client().create_index(name="taken", dimension=8, spec=SERVERLESS)


def test_a_protected_index_is_not_deleted_until_the_protection_is_off(server: Server):
    client = server.client()
    client.create_index(name="protected", dimension=8, spec=SERVERLESS, deletion_protection="enabled")

    with pytest.raises(ForbiddenError):
        client.delete_index("protected")
    client.configure_index("protected", deletion_protection="disabled")
    client.delete_index("protected")

    assert not client.has_index("protected")


def test_tags_are_merged_and_an_empty_value_removes_one(server: Server):
    client = server.client()
    client.create_index(name="tagged", dimension=8, spec=SERVERLESS, tags={"stays": "1", "goes": "1"})

    client.configure_index("tagged", tags={"goes": "", "comes": "1"})

    assert client.describe_index("tagged").tags == {"stays": "1", "comes": "1"}


def test_an_index_made_again_has_another_host_and_no_records(server: Server):
    client = server.client()
    client.create_index(name="made-again", dimension=2, spec=SERVERLESS)
    first = client.Index("made-again")
    first.upsert(vectors=[("a", [1.0, 2.0])])
    client.delete_index("made-again")
    client.create_index(name="made-again", dimension=2, spec=SERVERLESS)

    with pytest.raises(NotFoundError, match="Describe the index"):
        first.describe_index_stats()
    assert client.Index("made-again").describe_index_stats().total_vector_count == 0


def test_a_wrong_key_is_refused_in_plain_text(server: Server):
    with pytest.raises(UnauthorizedError, match="Unauthorized"):
        Pinecone(api_key="wrong", host=server.url).describe_index("any")


def test_an_index_that_does_not_exist_is_not_found(server: Server):
    with pytest.raises(NotFoundError) as refusal:
        server.client().describe_index("missing")

    assert refusal.value.body == {"error": {"code": "NOT_FOUND", "message": "Index missing not found."}, "status": 404}


@pytest.mark.parametrize("version", ["2025-10", "2026-04"])
def test_versions_before_2026_07_describe_an_index_by_dimension_and_spec(server: Server, version: str):
    body = {
        "name": f"old-{version}",
        "dimension": 4,
        "metric": "euclidean",
        "spec": {"serverless": {"cloud": "aws", "region": "us-east-1"}},
    }
    with server.http() as http:
        created = http.post("/indexes", json=body, headers={"X-Pinecone-Api-Version": version})

    assert created.status_code == 201
    described = created.json()
    assert (described["dimension"], described["metric"], described["vector_type"]) == (4, "euclidean", "dense")
    assert described["spec"]["serverless"]["read_capacity"] == {"mode": "OnDemand", "status": {"state": "Ready"}}
    assert "schema" not in described


def test_one_index_is_described_in_the_shape_of_the_version_that_asks(server: Server):
    server.client().create_index(name="two-shapes", dimension=4, spec=SERVERLESS)
    with server.http() as http:
        newest = http.get("/indexes/two-shapes", headers={"X-Pinecone-Api-Version": "2026-07"}).json()
        older = http.get("/indexes/two-shapes", headers={"X-Pinecone-Api-Version": "2025-10"}).json()

    assert newest["schema"] == {"fields": {"_values": {"type": "dense_vector", "dimension": 4, "metric": "cosine"}}}
    assert newest["deployment"] == {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}
    assert older["dimension"] == 4


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": "Upper"}, 400, "INVALID_ARGUMENT"),
        ({"name": "a" * 46}, 400, "INVALID_ARGUMENT"),
        ({"name": "-hyphen"}, 400, "INVALID_ARGUMENT"),
        ({"metric": "hamming"}, 400, "INVALID_ARGUMENT"),
        ({"dimension": 0}, 400, "INVALID_ARGUMENT"),
        ({"dimension": 20_001}, 400, "INVALID_ARGUMENT"),
        ({"dimension": None}, 422, "UNPROCESSABLE_ENTITY"),
        ({"spec": None}, 422, "UNPROCESSABLE_ENTITY"),
        ({"spec": {}}, 422, "UNPROCESSABLE_ENTITY"),
        ({"spec": {"serverless": "aws"}}, 422, "UNPROCESSABLE_ENTITY"),
        ({"spec": {"serverless": {"cloud": "aws"}}}, 422, "UNPROCESSABLE_ENTITY"),
        (
            {"spec": {"serverless": {"cloud": "aws", "region": "us-east-1", "schema": {"fields": {"a": {"filterable": False}}}}}},
            400,
            "INVALID_ARGUMENT",
        ),
        ({"spec": {"serverless": {"cloud": "moon", "region": "us-east-1"}}}, 404, "NOT_FOUND"),
        ({"spec": {"pod": {"environment": "us-east1-gcp"}}}, 501, "UNIMPLEMENTED"),
        ({"vector_type": "sparse"}, 501, "UNIMPLEMENTED"),
    ],
)
def test_an_index_that_cannot_be_had_is_refused_with_a_code(server: Server, change: dict, status: int, code: str):
    body = {"name": "refused", "dimension": 4, "spec": {"serverless": {"cloud": "aws", "region": "us-east-1"}}, **change}
    with server.http() as http:
        refused = http.post("/indexes", json=body)

    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)


def test_an_index_without_tags_says_so_since_2026_07_and_left_them_out_before(server: Server):
    server.client().create_index(name="no-tags", dimension=4, spec=SERVERLESS)
    with server.http() as http:
        newest, older = (http.get("/indexes/no-tags", headers={"X-Pinecone-Api-Version": each}).json() for each in ("2026-07", "2026-04"))

    assert newest["tags"] is None
    assert "tags" not in older


NOT_EMULATED = (
    "/backups",
    "/backup-schedules",
    "/backup-schedules/1/history",
    "/collections",
    "/restore-jobs",
    "/embed",
    "/rerank",
    "/models",
)


@pytest.mark.parametrize("path", [*NOT_EMULATED, "/indexes/any/backups", "/indexes/any/backup-schedules", "/indexes/create-for-model"])
def test_what_is_not_emulated_says_so(server: Server, path: str):
    with server.http() as http:
        refused = http.post(path, json={})

    assert refused.status_code == 501
    assert "does not emulate" in refused.json()["error"]["message"]


def test_an_unknown_route_is_not_found(server: Server):
    with server.http() as http:
        refused = http.get("/no/such/route")

    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"name": NaN}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(server: Server, body: bytes):
    with server.http() as http:
        refused = http.post("/indexes", content=body)

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")


def test_health_needs_no_key_and_says_what_this_is(server: Server):
    with server.http() as http:
        answer = http.get("/health", headers={"Api-Key": ""})

    assert answer.status_code == 200
    assert "for development and tests" in answer.json()["server"]
