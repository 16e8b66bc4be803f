"""Faults and lagging reads as the SDK meets them."""

import asyncio
import time

import httpx
import pytest
from pinecone import AsyncPinecone, Index, Pinecone, RetryConfig
from pinecone.errors import PineconeConnectionError, RateLimitError, ServiceError

from tests.integration.pinecone_server.conftest import API_KEY, Server

ONE = [("a", [1.0, 0.0])]


def switch(server: Server, *rules: dict, **settings: object) -> None:
    with server.http() as http:
        http.put("/faults", json={"rules": list(rules), **settings}).raise_for_status()


def hits(server: Server) -> int:
    with server.http() as http:
        return sum(rule["hits"] for rule in http.get("/faults").json()["rules"])


def once(index: Index, path: str, body: dict) -> httpx.Response:
    """One request without the SDK's own retries."""
    return httpx.post(f"{index.host}{path}", json=body, headers={"Api-Key": API_KEY})


def held(index: Index, namespace: str = "") -> list[str]:
    return [item.id for page in index.list(namespace=namespace) for item in page]


def test_throttling_answers_429_with_the_time_to_wait(faulty: Server):
    index = faulty.create_index()
    switch(faulty, {"kind": "too_many_requests", "path": "/vectors/upsert", "retry_after_s": 7})

    answer = once(index, "/vectors/upsert", {"vectors": [{"id": "a", "values": [1.0, 0.0]}]})

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert held(index) == []


def test_the_sdk_comes_through_faults_that_end(faulty: Server):
    index = faulty.create_index()
    switch(faulty, {"kind": "server_error", "path": "/vectors/upsert", "times": 2})

    index.upsert(vectors=ONE)

    assert (held(index), hits(faulty)) == (["a"], 2)


def test_the_sdk_gives_up_on_faults_that_do_not_end(faulty: Server):
    index = faulty.create_index()
    switch(faulty, {"kind": "server_error", "path": "/vectors/upsert", "status": 500})

    with pytest.raises(ServiceError, match="Injected fault"):
        index.upsert(vectors=ONE)


def test_a_batched_upsert_reports_the_batches_that_failed(faulty: Server):
    index = faulty.create_index()
    switch(faulty, {"kind": "too_many_requests", "path": "/vectors/upsert", "times": 4, "retry_after_s": 0})

    written = index.upsert(vectors=[(str(number), [1.0, 0.0]) for number in range(6)], batch_size=2, max_concurrency=1, show_progress=False)

    assert (written.failed_item_count, [type(each.error) for each in written.errors]) == (2, [RateLimitError])
    assert len(held(index)) == 4


def test_a_partial_write_keeps_the_first_half_and_fails(faulty: Server):
    index = faulty.create_index()
    switch(faulty, {"kind": "partial_write", "path": "/vectors/upsert"})

    answer = once(index, "/vectors/upsert", {"vectors": [{"id": name, "values": [1.0, 0.0]} for name in "abcd"]})

    assert answer.status_code == 500
    assert held(index) == ["a", "b"]


@pytest.mark.parametrize(("kind", "left"), [("cut_before", []), ("cut_after", ["a"])])
def test_a_cut_connection_says_nothing_of_whether_the_write_happened(faulty: Server, kind: str, left: list[str]):
    index = faulty.create_index()
    switch(faulty, {"kind": kind, "path": "/vectors/upsert"})

    with pytest.raises(httpx.TransportError):
        once(index, "/vectors/upsert", {"vectors": [{"id": "a", "values": [1.0, 0.0]}]})
    assert held(index) == left


def test_the_sdk_reports_a_connection_that_is_always_cut(faulty: Server):
    index = faulty.create_index()
    switch(faulty, {"kind": "cut_before", "path": "/query"})

    with pytest.raises(PineconeConnectionError):
        index.query(vector=[1.0, 0.0], top_k=1)


def test_a_rate_limit_lets_through_what_it_allows(faulty: Server):
    index = faulty.create_index()
    switch(faulty, {"kind": "rate_limit", "path": "/query", "requests_per_second": 3})

    with httpx.Client(headers={"Api-Key": API_KEY}) as http:
        answers = [http.post(f"{index.host}/query", json={"vector": [1.0, 0.0], "topK": 1}).status_code for _ in range(100)]

    assert answers[:3] == [200] * 3
    assert 429 in answers


def test_the_same_seed_gives_the_same_faults(faulty: Server):
    index = faulty.create_index()

    def answers() -> list[int]:
        switch(faulty, {"kind": "server_error", "path": "/query", "share": 0.3}, seed=11)
        return [once(index, "/query", {"vector": [1.0, 0.0], "topK": 1}).status_code for _ in range(30)]

    first = answers()
    assert first == answers()
    assert {200, 503} == set(first)


def test_faults_are_switched_off(faulty: Server):
    index = faulty.create_index()
    switch(faulty, {"kind": "server_error"})
    switch(faulty)

    index.upsert(vectors=ONE)

    assert held(index) == ["a"]


@pytest.mark.parametrize(
    "body",
    [
        {"rules": [{"kind": "earthquake"}]},
        {"rules": [{"kind": "cut_before", "odds": 1}]},
        {"rules": [{"kind": "server_error", "share": "half"}]},
        {"rules": [{"kind": "server_error", "status": 200}]},
        {"rules": [{"kind": "server_error", "path": 1}]},
        {"rules": [{"kind": "too_many_requests", "retry_after_s": []}]},
        {"seed": []},
        {"unknown": 1},
        {"rules": [1]},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(faulty: Server, body: dict):
    with faulty.http() as http:
        assert http.put("/faults", json=body).status_code == 400


def test_reads_do_not_see_a_write_before_its_time(faulty: Server):
    index = faulty.create_index()
    index.upsert(vectors=[("old", [1.0, 0.0], {"n": 1})])
    switch(faulty, visibility_delay_ms=3_600_000)

    written = index.upsert(vectors=[("old", [0.0, 1.0], {"n": 2}), ("new", [1.0, 0.0])])

    seen = index.query(vector=[1.0, 0.0], top_k=10, include_metadata=True)
    assert [(match.id, match.metadata) for match in seen.matches] == [("old", {"n": 1})]
    assert (seen.response_info.lsn_reconciled, written.response_info.lsn_committed) == (1, 2)
    assert held(index) == ["old"]
    assert index.describe_index_stats().total_vector_count == 1


def test_a_delete_is_seen_as_late_as_any_write(faulty: Server):
    index = faulty.create_index()
    index.upsert(vectors=ONE, namespace="ns")
    switch(faulty, visibility_delay_ms=3_600_000)

    index.delete(delete_all=True, namespace="ns")

    assert held(index, "ns") == ["a"]


def test_updates_work_on_writes_that_nobody_sees_yet(faulty: Server):
    index = faulty.create_index()
    switch(faulty, visibility_delay_ms=3_600_000)
    index.upsert(vectors=[("a", [1.0, 0.0], {"kind": "x"})])

    assert index.update(filter={"kind": "x"}, set_metadata={"seen": True}).matched_records == 1


def test_a_write_is_seen_once_its_number_is_reconciled(faulty: Server):
    index = faulty.create_index()
    switch(faulty, visibility_delay_ms=200)

    number = index.upsert(vectors=ONE).response_info.lsn_committed
    while not (answer := index.fetch(ids=["a"])).response_info.is_reconciled(number):
        assert answer.vectors == {}

    assert set(answer.vectors) == {"a"}


def test_after_a_lag_everything_is_as_it_was_written(faulty: Server):
    index = faulty.create_index()
    switch(faulty, visibility_delay_ms=100)
    for number in range(20):
        index.upsert(vectors=[(f"{number:02d}", [1.0, number + 1.0])])
    index.delete(ids=["03"])
    last = index.upsert(vectors=[("05", [9.0, 9.0])]).response_info.lsn_committed
    while not index.fetch(ids=["05"]).response_info.is_reconciled(last):
        time.sleep(0.01)

    assert held(index) == [f"{number:02d}" for number in range(20) if number != 3]
    assert index.fetch(ids=["05"]).vectors["05"].values == [9.0, 9.0]


def test_every_record_arrives_where_a_third_of_the_requests_fail(faulty: Server):
    index = faulty.create_index()
    kinds = ("server_error", "too_many_requests", "partial_write", "cut_before", "cut_after")
    switch(faulty, *({"kind": kind, "path": "/vectors/upsert", "share": 0.07, "retry_after_s": 0} for kind in kinds), seed=5)
    left = [(f"{number:04d}", [1.0, number + 1.0]) for number in range(400)]

    while left:
        written = index.upsert(vectors=left, batch_size=20, show_progress=False)
        failed = {item["id"] for item in written.failed_items}
        left = [record for record in left if record[0] in failed]
    switch(faulty)

    assert held(index) == [f"{number:04d}" for number in range(400)]


def test_the_control_plane_fails_as_well(faulty: Server):
    client = Pinecone(api_key=API_KEY, host=faulty.url, retry_config=RetryConfig(max_retries=0), ssl_verify=False)
    switch(faulty, {"kind": "server_error", "path": "/indexes", "times": 1})

    with pytest.raises(ServiceError):
        client.list_indexes()
    assert isinstance(client.list_indexes().names(), list)


def test_the_asynchronous_client_works_alike(faulty: Server):
    host = faulty.create_index().host
    switch(faulty, {"kind": "server_error", "path": "/vectors/upsert", "times": 1})

    async def work() -> list[str]:
        async with AsyncPinecone(api_key=API_KEY, host=faulty.url) as client:
            index = await client.index(host=host)
            await index.upsert(vectors=[("a", [1.0, 0.0], {"n": 1}), ("b", [0.0, 1.0])], namespace="ns")
            await index.update(id="b", set_metadata={"n": 2}, namespace="ns")
            found = await index.query(vector=[1.0, 0.0], top_k=2, namespace="ns", filter={"n": {"$exists": True}})
            await index.delete(ids=["a"], namespace="ns")
            left = await index.fetch(ids=["a", "b"], namespace="ns")
            await index.close()
            return [*(match.id for match in found.matches), *left.vectors]

    assert asyncio.run(work()) == ["a", "b", "b"]
