"""The real SDK against the development server, and against one that records what arrives."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import orjson
import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.pinecone import IndexBusy, IndexService, VectorIndex
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.delays import LONGEST
from embedding_lakehouse.core.records import encode_record, pack
from embedding_lakehouse.errors import ConfigurationError
from embedding_lakehouse.steps.set_up_index import create_index
from tests.index_fixtures import API_KEY, Following
from tests.lake_builder import LakeBuilder


class Recorder(ThreadingHTTPServer):
    """Answers every request the same and keeps what was sent."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), RecordingHandler)
        self.answer = (status, body, headers)
        self.bodies: list[bytes] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class RecordingHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        status, body, headers = self.server.answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def recorder(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    status, body, headers = request.param
    with Recorder(status, body, headers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def bodies_of(count: int) -> list:
    values = np.arange(8, dtype=np.float32)
    return list(pack((encode_record(f"id-{number}", values, {"doc_id": "a"}) for number in range(count)), "a-namespace"))


@pytest.mark.parametrize("recorder", [(503, b"down", {})], indirect=True)
def test_the_sdk_makes_no_tries_of_its_own(recorder: Recorder):
    with pytest.raises(IndexBusy):
        VectorIndex(recorder.address, API_KEY, patience=0).upsert(bodies_of(1))
    assert len(recorder.bodies) == 1


@pytest.mark.parametrize("recorder", [(429, b"slow down", {"Retry-After": "30"})], indirect=True)
def test_a_wait_that_the_index_asks_for_is_never_cut_short(recorder: Recorder):
    with pytest.raises(IndexBusy):
        VectorIndex(recorder.address, API_KEY, patience=5).upsert(bodies_of(1))
    assert len(recorder.bodies) == 1


@pytest.mark.parametrize("recorder", [(429, b"slow down", {"Retry-After": "3600"})], indirect=True)
def test_an_index_that_asks_for_an_hour_is_asked_again_before(recorder: Recorder):
    with pytest.raises(IndexBusy) as busy:
        VectorIndex(recorder.address, API_KEY, patience=5).upsert(bodies_of(1))
    assert busy.value.retry_after == LONGEST


@pytest.mark.parametrize("recorder", [(200, b'{"upsertedCount": 1}', {})], indirect=True)
def test_an_answer_that_counts_too_few_records_is_not_taken(recorder: Recorder):
    with pytest.raises(IndexBusy, match="1 of 2"):
        VectorIndex(recorder.address, API_KEY, patience=0).upsert(bodies_of(2))


@pytest.mark.parametrize("recorder", [(200, b'{"upsertedCount": 2}', {})], indirect=True)
def test_the_body_arrives_byte_for_byte(recorder: Recorder):
    bodies = bodies_of(2)
    VectorIndex(recorder.address, API_KEY, patience=5).upsert(bodies)
    assert recorder.bodies == [body.content for body in bodies]
    assert orjson.loads(recorder.bodies[0])["namespace"] == "a-namespace"


@pytest.mark.parametrize("change", [{"dimension": 16}, {"metric": "dotproduct"}], ids=["dimension", "metric"])
@pytest.mark.parametrize("use", ["open", "create"])
def test_an_index_of_another_shape_is_refused_with_both_values(following: Following, use: str, change: dict):
    (setting, wanted), found = *change.items(), getattr(following.shape, *change)
    with pytest.raises(ConfigurationError, match=f"{setting} {found}, the profile needs {wanted}"):
        getattr(following.service, use)(replace(following.shape, **change))


def test_a_missing_index_is_not_created_by_the_way(following: Following):
    missing = replace(following.shape, name="never-created")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="set_up_lakehouse"):
            following.service.open(missing)


def test_a_live_release_stays_in_its_index_when_the_profile_names_another(following: Following, profiles: Path, builder: LakeBuilder):
    builder.publish({"a.md": ["a one"]})
    held = following.index
    profiles.write_text(profiles.read_text().replace("index = { name =", 'index = { metric = "dotproduct", name ='))
    settings.profiles.cache_clear()
    following.sync()
    assert held.fetch(following.namespace, list(builder.current())).keys() == builder.current().keys()


def test_creating_an_index_twice_creates_it_once(following: Following):
    assert create_index(following.profile.name, lake=following.lake, service=following.service) == []
    assert Releases(following.lake).live(following.profile.name)["state"] == "live"


def test_a_filter_that_the_index_refuses_is_a_mistake_of_the_caller(following: Following):
    with pytest.raises(ConfigurationError, match="refuses the request"):
        following.index.search(following.namespace, np.ones(8, np.float32), 3, {"doc_id": {"$near": 1}})


def test_a_wrong_api_key_names_the_connection_when_creating(following: Following):
    with pytest.raises(ConfigurationError, match="pinecone_default"):
        IndexService("wrong", following.service.host).create(following.shape)


def test_an_index_without_a_control_plane_is_taken_at_its_host(following: Following):
    fixed = IndexService(API_KEY, "http://127.0.0.1:9", index_host=following.index._sdk.host)
    assert fixed.create(following.shape) is False
    assert fixed.open(following.shape).dimension() == following.profile.dimensions


def test_an_index_without_a_control_plane_of_another_dimension_is_refused(following: Following):
    fixed = IndexService(API_KEY, index_host=following.index._sdk.host)
    with pytest.raises(ConfigurationError, match="has dimension 8, the profile needs 16"):
        fixed.open(replace(following.shape, dimension=16))
