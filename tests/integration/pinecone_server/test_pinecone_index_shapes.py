"""Indexes that are asked for by schema and deployment, as API 2026-07 has it, and cannot be had."""

import pytest
from pinecone import NotFoundError, ServerlessSpec

from tests.integration.pinecone_server.conftest import Server

EMBEDDING = {"type": "dense_vector", "dimension": 4, "metric": "cosine"}
MANAGED = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}


@pytest.mark.parametrize(
    ("deployment", "status"),
    [
        ({"invalid": {"cloud": "aws", "region": "us-east-1"}}, 422),
        ({"SERVERLESS": {"cloud": "aws", "region": "us-east-1"}}, 422),
        ({"deployment_type": "MANAGED", "cloud": "aws", "region": "us-east-1"}, 422),
        ({"deployment_type": "managed", "cloud": "aws"}, 422),
        ({"deployment_type": 1, "cloud": "aws", "region": "us-east-1"}, 422),
        ({}, 422),
        ("managed", 422),
        ({"deployment_type": "managed", "cloud": "aws", "region": "us-west1"}, 404),
        ({"deployment_type": "pod", "environment": "us-east1-gcp"}, 501),
        ({"deployment_type": "byoc", "environment": "any"}, 501),
    ],
)
def test_a_deployment_that_cannot_be_had_is_refused_before_the_schema_is_judged(server: Server, deployment: object, status: int):
    with server.http() as http:
        refused = http.post("/indexes", json={"schema": {"fields": {"a": EMBEDDING, "b": EMBEDDING}}, "deployment": deployment})

    assert refused.status_code == status


def test_a_region_that_does_not_exist_is_not_found_by_its_name(server: Server):
    with pytest.raises(NotFoundError, match="Resource cloud: aws region: us-west1 not found"):
        server.client().create_index(name="nowhere", dimension=4, spec=ServerlessSpec(cloud="aws", region="us-west1"))


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ({"type": "dense_vector", "dimension": 4}, 422),
        ({"type": "dense_vector", "metric": "cosine"}, 422),
        ({"dimension": 4, "metric": "cosine"}, 422),
        ({"type": ["dense_vector"], "dimension": 4, "metric": "cosine"}, 422),
        ({"type": "tensor"}, 422),
        ({"type": "string"}, 422),
        ({"type": "string", "filterable": True}, 400),
        ({"type": "float"}, 400),
        ({"type": "dense_vector", "dimension": "4", "metric": "cosine"}, 400),
        ({"type": "dense_vector", "dimension": 4, "metric": "hamming"}, 400),
    ],
)
def test_a_field_of_a_schema_that_cannot_be_had_is_refused(server: Server, field: dict, status: int):
    with server.http() as http:
        refused = http.post("/indexes", json={"schema": {"fields": {"embedding": field}}, "deployment": MANAGED})

    assert refused.status_code == status
