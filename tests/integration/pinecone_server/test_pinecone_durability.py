"""What was acknowledged is there after `kill -9`, at whatever moment it came."""

import resource
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import numpy as np
import pyarrow as pa
import pytest
from pinecone import Index
from pyarrow import parquet

from tests.integration.pinecone_server.conftest import API_KEY, Server


def post(index: Index, path: str, body: dict) -> bool:
    """Whether the server acknowledged a request; the SDK would try it again."""
    try:
        return httpx.post(f"{index.host}{path}", json=body, headers={"Api-Key": API_KEY}, timeout=30).status_code == 200
    except httpx.TransportError:
        return False


def test_acknowledged_writes_survive_kills_in_the_middle_of_writing_and_no_batch_is_cut(lasting: Server):
    index = lasting.create_index(dimension=64)
    vectors = np.random.default_rng(1).normal(size=(40, 64)).round(3)
    acknowledged: set[str] = set()
    stop = Event()

    def write(writer: int, index: Index, generation: int) -> None:
        for batch in range(10_000):
            names = [f"{generation}-{writer}-{batch}-{row}" for row in range(40)]
            records = [{"id": name, "values": vector.tolist()} for name, vector in zip(names, vectors, strict=True)]
            if stop.is_set() or not post(index, "/vectors/upsert", {"vectors": records, "namespace": "ns"}):
                return
            acknowledged.update(names)

    for generation in range(3):
        stop.clear()
        before = len(acknowledged)
        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write, writer, index, generation) for writer in range(4)]
            while len(acknowledged) < before + 1000:
                time.sleep(0.01)
            lasting.end(signal.SIGKILL)
            stop.set()
            for writer in writers:
                writer.result()
        lasting.start()
        index = lasting.index(index.host)

    held = {item.id for page in index.list(namespace="ns") for item in page}
    assert acknowledged <= held
    assert set(Counter(name.rsplit("-", 1)[0] for name in held).values()) == {40}
    names = sorted(acknowledged)[:100]
    fetched = index.fetch(ids=names, namespace="ns").vectors
    assert all(fetched[name].values == pytest.approx(vectors[int(name.rsplit("-", 1)[1])].tolist(), abs=1e-6) for name in names)


def test_deletes_updates_and_namespaces_survive_a_kill(lasting: Server):
    index = lasting.create_index()
    index.upsert(vectors=[("stays", [1.0, 0.0], {"n": 1}), ("goes", [1.0, 0.0])], namespace="ns")
    index.delete(ids=["goes"], namespace="ns")
    index.update(id="stays", set_metadata={"n": 2}, namespace="ns")
    index.create_namespace(name="empty")
    index.upsert(vectors=[("a", [1.0, 0.0])], namespace="dropped")
    index.delete_namespace(name="dropped")

    lasting.restart(signal.SIGKILL)
    again = lasting.index(index.host)

    assert {name: vector.metadata for name, vector in again.fetch(ids=["stays", "goes"], namespace="ns").vectors.items()} == {
        "stays": {"n": 2}
    }
    assert {name: each.vector_count for name, each in again.describe_index_stats().namespaces.items()} == {"ns": 1, "empty": 0}


def test_log_sequence_numbers_go_on_after_a_kill(lasting: Server):
    index = lasting.create_index()
    first = index.upsert(vectors=[("a", [1.0, 0.0])], namespace="ns").response_info.lsn_committed

    lasting.restart(signal.SIGKILL)
    second = lasting.index(index.host).upsert(vectors=[("b", [1.0, 0.0])], namespace="ns").response_info.lsn_committed

    assert (first, second) == (1, 2)


def test_a_write_that_the_disk_does_not_take_is_refused_and_leaves_nothing(tmp_path: Path):
    server = Server(tmp_path / "full")
    index = server.create_index(dimension=64)
    index.upsert(vectors=[("before", [1.0] * 64)], namespace="ns")
    records = [{"id": f"too-much-{row}", "values": [1.0] * 64} for row in range(1000)]

    # No file of the server may grow any more.
    largest = max(path.stat().st_size for path in server.home.iterdir())
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest + 100_000, resource.RLIM_INFINITY))
    with server.http() as http:
        refused = http.post(f"{index.host}/vectors/upsert", json={"vectors": records, "namespace": "ns"})
    seen = [item.id for page in index.list(namespace="ns") for item in page]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    index.upsert(vectors=[("after", [1.0] * 64)], namespace="ns")
    server.restart(signal.SIGKILL)
    held = [item.id for page in server.index(index.host).list(namespace="ns") for item in page]
    server.end()

    assert refused.status_code in (500, 507)
    assert "nothing was written" in refused.json()["message"]
    assert (seen, held) == (["before"], ["after", "before"])


def test_an_alias_survives_a_kill(lasting: Server):
    index = lasting.create_index()
    index.upsert(vectors=[("a", [1.0, 0.0])], namespace="v1")
    assert post(index, "/namespace-aliases", {"name": "live", "target_namespace": "v1"})

    lasting.restart(signal.SIGKILL)

    assert set(lasting.index(index.host).fetch(ids=["a"], namespace="live").vectors) == {"a"}


def test_an_import_that_a_kill_interrupts_begins_again(lasting: Server, tmp_path: Path):
    (tmp_path / "import" / "ns").mkdir(parents=True)
    columns = {"id": ["a"], "values": pa.array([[1.0, 0.0]], pa.list_(pa.float32()))}
    parquet.write_table(pa.table(columns), tmp_path / "import" / "ns" / "0.parquet")
    index = lasting.create_index()
    import_id = index.start_import(str(tmp_path / "import"), error_mode="abort").id

    lasting.restart(signal.SIGKILL)
    again = lasting.index(index.host)
    while again.describe_import(import_id).status in ("Pending", "InProgress"):
        time.sleep(0.05)

    assert set(again.fetch(ids=["a"], namespace="ns").vectors) == {"a"}


def test_what_does_not_fit_in_memory_is_read_again(tmp_path: Path):
    server = Server(tmp_path / "small", "--memory-mb", "0")
    index = server.create_index()
    for namespace in ("one", "two", "three"):
        index.upsert(vectors=[(namespace, [1.0, 0.0])], namespace=namespace)

    found = {name: list(index.fetch(ids=["one", "two", "three"], namespace=name).vectors) for name in ("one", "two", "three")}
    server.end()

    assert found == {"one": ["one"], "two": ["two"], "three": ["three"]}
