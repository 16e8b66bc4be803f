"""Bulk imports from a folder and from S3, through the real SDK."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pytest
from moto.server import ThreadedMotoServer
from pinecone import Index
from pinecone.errors import ApiError
from pinecone.models.imports.model import ImportModel
from pyarrow import parquet

from tests.integration.pinecone_server.conftest import Server

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def table(*records: tuple[str, list[float] | None, dict | None]) -> pa.Table:
    ids, values, metadata = zip(*records, strict=True)
    texts = [None if fields is None else json.dumps(fields) for fields in metadata]
    columns = {
        "id": pa.array(ids, pa.string()),
        "values": pa.array(values, pa.list_(pa.float32())),
        "metadata": pa.array(texts, pa.string()),
    }
    return pa.table({**columns, "ignored": pa.array(range(len(ids)))})


def write(folder: Path, namespace: str, *records: tuple[str, list[float] | None, dict | None], file: str = "0.parquet") -> None:
    (folder / namespace).mkdir(parents=True, exist_ok=True)
    parquet.write_table(table(*records), folder / namespace / file)


def finished(index: Index, import_id: str) -> ImportModel:
    while (task := index.describe_import(import_id)).status in ("Pending", "InProgress"):
        time.sleep(0.02)
    return task


def imported(index: Index, uri: Path | str, error_mode: str = "abort") -> ImportModel:
    return finished(index, index.start_import(str(uri), error_mode=error_mode).id)


def test_each_folder_becomes_a_namespace(index: Index, tmp_path: Path):
    write(tmp_path, "one", ("a", [1.0, 0.0], {"n": 1}), ("b", [0.0, 1.0], None))
    write(tmp_path, "one", ("c", [1.0, 1.0], None), file="1.parquet")
    write(tmp_path, "__default__", ("d", [1.0, 2.0], None))
    (tmp_path / "one" / "notes.log").write_text("ignored")

    task = imported(index, tmp_path)

    assert (task.status, task.records_imported, task.percent_complete) == ("Completed", 4, 100.0)
    assert index.fetch(ids=["a"], namespace="one").vectors["a"].metadata == {"n": 1}
    assert {name: each.vector_count for name, each in index.describe_index_stats().namespaces.items()} == {"one": 3, "__default__": 1}


def test_imported_vectors_are_those_of_the_file_bit_for_bit(server: Server, tmp_path: Path):
    index = server.create_index(dimension=64)
    vectors = np.random.default_rng(5).normal(size=(3000, 64)).astype(np.float32)
    write(tmp_path, "ns", *[(f"{row:04d}", vector.tolist(), None) for row, vector in enumerate(vectors)])

    assert imported(index, f"file://{tmp_path}").records_imported == 3000

    names = [f"{row:04d}" for row in range(0, 3000, 100)]
    fetched = index.fetch(ids=names, namespace="ns").vectors
    assert np.array_equal(np.array([fetched[name].values for name in names], dtype=np.float32), vectors[::100])


def test_an_import_into_a_namespace_that_exists_fails(index: Index, tmp_path: Path):
    index.upsert(vectors=[("old", [1.0, 0.0])], namespace="ns")
    write(tmp_path, "ns", ("new", [1.0, 0.0], None))

    task = imported(index, tmp_path)

    assert task.status == "Failed"
    assert "already exists" in task.error
    assert set(index.fetch(ids=["old", "new"], namespace="ns").vectors) == {"old"}


def test_a_bad_record_aborts_the_import_and_nothing_is_there(index: Index, tmp_path: Path):
    write(tmp_path, "good", ("a", [1.0, 0.0], None))
    write(tmp_path, "mixed", ("b", [1.0, 0.0], None), ("short", [1.0], None))

    task = imported(index, tmp_path, error_mode="abort")

    assert task.status == "Failed"
    assert "'short': Vector dimension 1" in task.error
    assert index.describe_index_stats().namespaces == {}


def test_a_bad_record_is_left_out_where_the_import_continues(index: Index, tmp_path: Path):
    bad = [("zero", [0.0, 0.0], None), ("nothing", None, None), ("nested", [1.0, 0.0], {"a": {"b": 1}})]
    write(tmp_path, "ns", ("good", [1.0, 0.0], None), *bad)

    task = imported(index, tmp_path, error_mode="continue")

    assert (task.status, task.records_imported) == ("Completed", 1)
    assert [item.id for page in index.list(namespace="ns") for item in page] == ["good"]


def test_of_records_with_one_id_the_last_is_imported(index: Index, tmp_path: Path):
    write(tmp_path, "ns", ("same", [1.0, 0.0], {"n": 1}), ("same", [0.0, 1.0], {"n": 2}))

    imported(index, tmp_path)

    assert index.fetch(ids=["same"], namespace="ns").vectors["same"].metadata == {"n": 2}


def test_a_folder_without_parquet_files_fails_with_the_layout(index: Index, tmp_path: Path):
    parquet.write_table(table(("a", [1.0, 0.0], None)), tmp_path / "no-namespace.parquet")

    task = imported(index, tmp_path)

    assert task.status == "Failed"
    assert "NAMESPACE/0.parquet" in task.error


def test_a_file_without_the_columns_fails_by_name(index: Index, tmp_path: Path):
    (tmp_path / "ns").mkdir()
    parquet.write_table(pa.table({"id": ["a"]}), tmp_path / "ns" / "0.parquet")

    assert "'id' and 'values' are required" in imported(index, tmp_path).error


def test_a_file_that_is_no_parquet_fails(index: Index, tmp_path: Path):
    (tmp_path / "ns").mkdir()
    (tmp_path / "ns" / "0.parquet").write_text("no parquet")

    assert imported(index, tmp_path).status == "Failed"


@pytest.mark.parametrize("uri", ["gs://bucket/folder", "relative/folder", "", "http://example.com"])
def test_an_address_of_another_kind_is_refused_at_once(index: Index, uri: str):
    with pytest.raises(ApiError, match="uri must be"):
        index.start_import(uri, error_mode="abort")


def test_imports_are_listed_in_pages(index: Index, tmp_path: Path):
    ids = [index.start_import(str(tmp_path), error_mode="abort").id for _ in range(3)]

    first = index.list_imports_paginated(limit=2)
    assert [task.id for task in first] == ids[:2]
    assert [task.id for task in index.list_imports(limit=2)] == ids


def test_a_pending_import_is_cancelled_and_imports_nothing(lasting: Server, tmp_path: Path):
    index = lasting.create_index()
    write(tmp_path / "import", "ns", ("a", [1.0, 0.0], None))
    import_id = index.start_import(str(tmp_path / "import"), error_mode="abort").id

    index.cancel_import(import_id)

    assert index.describe_import(import_id).status == "Cancelled"
    assert index.describe_index_stats().namespaces == {}


def test_cancelling_a_finished_import_changes_nothing(index: Index, tmp_path: Path):
    write(tmp_path, "ns", ("a", [1.0, 0.0], None))
    task = imported(index, tmp_path)

    index.cancel_import(task.id)

    assert index.describe_import(task.id).status == "Completed"


def test_an_unknown_import_is_not_found(index: Index):
    with pytest.raises(ApiError) as refusal:
        index.describe_import("17")
    assert refusal.value.status_code == 404


@pytest.fixture
def bucket() -> Iterator[str]:
    """The address of an S3 endpoint with a bucket named `exports`."""
    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    endpoint = "http://{}:{}".format(*moto.get_host_and_port())
    session = boto3.Session("test", "test", region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket="exports")
    yield endpoint
    moto.stop()


def test_an_import_reads_from_s3(bucket: str, tmp_path: Path):
    server = Server(tmp_path / "home", "--import-delay-ms", "0", AWS_ENDPOINT_URL=bucket, **CREDENTIALS)
    index = server.create_index()
    write(tmp_path / "local", "ns", ("a", [1.0, 0.0], {"n": 1}))
    s3 = boto3.Session("test", "test", region_name="us-east-1").client("s3", endpoint_url=bucket)
    s3.upload_file(str(tmp_path / "local" / "ns" / "0.parquet"), "exports", "release-7/ns/0.parquet")

    task = imported(index, "s3://exports/release-7/")
    records = index.fetch(ids=["a"], namespace="ns").vectors
    server.end()

    assert (task.status, task.error) == ("Completed", None)
    assert records["a"].metadata == {"n": 1}
