"""Namespaces as wholes, by the real SDK: whole listings or an error, counts, and their end."""

from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest

from embedding_lakehouse.clients.pinecone import IndexService, VectorIndex
from embedding_lakehouse.core.records import encode_record, pack
from embedding_lakehouse.core.releases import IndexShape
from embedding_lakehouse.errors import TransientError
from tests.index_fixtures import API_KEY, put_faults

IDS = sorted(f"id-{number:03}" for number in range(250))


@pytest.fixture(scope="module")
def index(faulty_server: str) -> VectorIndex:
    """An index with nothing in it."""
    service, shape = IndexService(API_KEY, faulty_server, patience=20), IndexShape(f"test-{uuid4().hex[:12]}", 8, "cosine")
    service.create(shape)
    return service.open(shape)


@pytest.fixture
def namespace(index: VectorIndex) -> str:
    """A namespace of 250 records."""
    name = uuid4().hex
    index.upsert(pack((encode_record(record_id, np.ones(8, np.float32), {}) for record_id in IDS), name))
    return name


@pytest.fixture(autouse=True)
def without_faults(faulty_server: str) -> Iterator[None]:
    yield
    put_faults(faulty_server)


def test_all_ids_are_listed_in_order(index: VectorIndex, namespace: str):
    assert list(index.list_ids(namespace)) == IDS


def test_ids_are_listed_by_prefix(index: VectorIndex, namespace: str):
    assert list(index.list_ids(namespace, "id-02")) == [f"id-02{digit}" for digit in range(10)]


def test_a_listing_comes_through_faults(index: VectorIndex, namespace: str, faulty_server: str):
    put_faults(faulty_server, {"kind": "server_error", "share": 0.5}, seed=3)
    assert list(index.list_ids(namespace)) == IDS


def test_a_page_that_cannot_be_read_is_no_end(index: VectorIndex, namespace: str, faulty_server: str):
    impatient = VectorIndex(index._sdk.host, API_KEY, patience=0.2)
    listing = impatient.list_ids(namespace)
    assert next(listing) == IDS[0]
    put_faults(faulty_server, {"kind": "server_error"})
    with pytest.raises(TransientError):
        list(listing)


def test_a_namespace_counts_its_records(index: VectorIndex, namespace: str):
    assert (index.namespace_exists(namespace), index.record_count(namespace)) == (True, 250)


def test_a_missing_namespace_is_empty(index: VectorIndex):
    assert (index.namespace_exists("missing"), index.record_count("missing"), list(index.list_ids("missing"))) == (False, 0, [])


def test_deleting_a_namespace_twice_deletes_it_once(index: VectorIndex, namespace: str):
    for _ in range(2):
        index.delete_namespace(namespace)
    assert not index.namespace_exists(namespace)
