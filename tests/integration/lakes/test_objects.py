"""Staged parts and commits in S3 and Glue, by moto, with keys that are named in the connection: whole or not at all, and none is lost."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.forgetting.half_written import half_written
from embedding_lakehouse.clients.forgetting.holdings import files_of
from embedding_lakehouse.clients.iceberg import append_once, catalog_from_connection
from embedding_lakehouse.clients.journal import Journal
from embedding_lakehouse.clients.parts import (
    delete_folder,
    list_parts,
    parts_folder,
    read_notes,
    read_parts,
    stored_files,
    write_note,
    write_part,
)
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, EMBEDDING_BATCHES, INDEX_SYNCS
from embedding_lakehouse.errors import LakehouseError
from tests.aws_server import REGION, AwsServer, aws_server

BUCKET = "keyed-lake"
KEYS = {"client.access-key-id": "of-a-user", "client.secret-access-key": "of-a-user", "client.region": REGION}
# Glue takes longer ones for an error.
LONGEST_GLUE_COMMENT = 255


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with aws_server() as server:
        server.create_bucket(BUCKET)
        yield server


@pytest.fixture(scope="module")
def catalog(aws: AwsServer) -> Catalog:
    """Glue behind the connection iceberg_default."""
    here = {"type": "glue", "warehouse": f"s3://{BUCKET}/lake", "glue.endpoint": aws.address, "s3.endpoint": aws.address}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ICEBERG_DEFAULT", json.dumps({"conn_type": "iceberg", "extra": here | KEYS}))
        return catalog_from_connection()


@pytest.fixture
def table(catalog: Catalog, aws: AwsServer) -> Iterator[IcebergTable]:
    """The embeddings without a row, and nothing refused."""
    ensure_table(catalog, DOCUMENT_EMBEDDINGS)
    yield catalog.load_table(DOCUMENT_EMBEDDINGS.name)
    aws.refuses = lambda request: False
    delete_folder(catalog.load_table(DOCUMENT_EMBEDDINGS.name), f"s3://{BUCKET}/lake")
    catalog.drop_table(DOCUMENT_EMBEDDINGS.name)


def rows(count: int = 1, dimensions: int = 8) -> pa.Table:
    """Rows whose vectors do not compress."""
    vectors = np.random.default_rng(7).standard_normal((count, dimensions)).astype(np.float32)
    return pa.table({"doc_id": [f"{number:05}" for number in range(count)], "embedding": pa.array(list(vectors), pa.list_(pa.float32()))})


def keys(aws: AwsServer, table: IcebergTable) -> list[str]:
    """The objects under the table's data, as S3 has them."""
    prefix = table.location().removeprefix(f"s3://{BUCKET}/")
    return [item["Key"] for item in aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/data/").get("Contents", ())]


def test_a_large_part_goes_up_in_several_pieces_and_comes_back_whole(aws: AwsServer, table: IcebergTable) -> None:
    wanted = rows(4_000, 1_024)
    written = write_part(table, parts_folder(table, "batch_id=b1"), wanted)
    pieces = {request.query["partNumber"] for request in aws.requests if "partNumber" in request.query}
    assert pieces == {"1", "2"}
    read = pa.Table.from_batches(read_parts(table, [written], wanted.column_names))
    assert read.to_pydict() == wanted.to_pydict()


@pytest.mark.parametrize("piece", [1, 2])
def test_an_upload_that_fails_leaves_no_part(aws: AwsServer, table: IcebergTable, piece: int) -> None:
    folder = parts_folder(table, "batch_id=b1")
    before = write_part(table, folder, rows())
    aws.refuses = lambda request: request.query.get("partNumber") == str(piece) and request.operation == "PUT"
    with pytest.raises(LakehouseError, match=r"could not write s3://.*\.parquet: .*ACCESS_DENIED.* run the task again"):
        write_part(table, folder, rows(4_000, 1_024))
    assert list_parts(table, folder) == [before]


def test_rows_that_cannot_be_encoded_leave_no_part(aws: AwsServer, table: IcebergTable) -> None:
    with pytest.raises(ValueError, match="Row group size"):
        write_part(table, parts_folder(table, "batch_id=b1"), rows(), row_group_rows=0)
    assert keys(aws, table) == []


def test_what_a_signal_completed_before_its_first_byte_is_no_part_and_no_note(aws: AwsServer, table: IcebergTable) -> None:
    folder = parts_folder(table, "batch_id=b1")
    written = write_part(table, folder, rows())
    for name in ("empty.parquet", "empty.job"):
        table.io.new_output(f"{folder}/{name}").create().close()
    assert len(keys(aws, table)) == 3
    assert list_parts(table, folder) == [written]
    assert read_notes(table, folder, ".job") == {}


def test_an_empty_object_of_a_killed_writer_is_passed_by_when_documents_are_erased(aws: AwsServer, table: IcebergTable) -> None:
    folder = parts_folder(table, "batch_id=killed")
    whole = write_part(table, folder, rows())
    empty = [f"{folder}/{name}".removeprefix(f"s3://{BUCKET}/") for name in ("empty.parquet", "empty.avro", "_SUCCESS")]
    for key in empty:
        aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"")
    stored = stored_files(table, folder)
    assert {file.location.rpartition("/")[2] for file in half_written(table, stored)} == {"empty.parquet", "empty.avro"}
    assert [file for file in files_of(table) if file.startswith(folder)] == sorted([whole, f"{folder}/_SUCCESS"])


def test_only_the_wanted_folder_is_listed(aws: AwsServer, table: IcebergTable) -> None:
    folder, near = parts_folder(table, "batch_id=b1"), parts_folder(table, "batch_id=b10")
    written = [write_part(table, f"{folder}/shard=0000", rows()), write_part(table, f"{folder}/shard=0001", rows())]
    write_part(table, near, rows())
    aws.requests.clear()
    assert list_parts(table, folder) == sorted(written)
    assert list_parts(table, parts_folder(table, "batch_id=never")) == []
    listed = [request.query["prefix"] for request in aws.requests if "list-type" in request.query]
    prefix = folder.removeprefix(f"s3://{BUCKET}/")
    assert listed == [f"{prefix}/", f"{prefix.removesuffix('b1')}never/"]


def test_notes_are_found_in_their_folder_alone_and_replaced_whole(table: IcebergTable) -> None:
    folder = parts_folder(table, "batch_id=b1")
    for text in ("one", "two"):
        write_note(table, f"{folder}/bulk/a.job", text)
    write_note(table, f"{folder}/bulk/deeper/b.job", "three")
    assert read_notes(table, f"{folder}/bulk", ".job") == {"a": "two"}


def test_a_removed_folder_takes_its_neighbours_not_along(aws: AwsServer, table: IcebergTable) -> None:
    folder, near = parts_folder(table, "batch_id=b1"), parts_folder(table, "batch_id=b10")
    write_part(table, folder, rows())
    kept = write_part(table, near, rows())
    delete_folder(table, folder)
    assert [key for key in keys(aws, table) if key.endswith(".parquet")] == [kept.removeprefix(f"s3://{BUCKET}/")]


def test_of_writers_in_the_same_moment_none_is_lost(catalog: Catalog, table: IcebergTable) -> None:
    ensure_table(catalog, EMBEDDING_BATCHES)
    journal = Journal(catalog, EMBEDDING_BATCHES, "batch_id")

    def write(number: int) -> None:
        journal.change(lambda known: [{"batch_id": f"b{number}", "batch_number": len(known)}])
        own = catalog.load_table(DOCUMENT_EMBEDDINGS.name)
        append_once(own, [write_part(own, parts_folder(own, "same-moment"), rows())], {"batch_id": f"b{number}"})

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(6)))
    assert sorted(row["batch_number"] for row in journal.rows()) == list(range(6))
    assert len(catalog.load_table(DOCUMENT_EMBEDDINGS.name).scan().to_arrow()) == 6


def test_the_keys_of_the_connection_go_to_glue_and_to_s3(aws: AwsServer, table: IcebergTable) -> None:
    aws.requests.clear()
    append_once(table, [write_part(table, parts_folder(table, "batch_id=b1"), rows())], {"batch_id": "b1"})
    assert {(request.operation.startswith("AWSGlue"), request.key_id) for request in aws.requests} == {
        (True, "of-a-user"),
        (False, "of-a-user"),
    }


def test_a_role_that_may_create_no_database_sets_up_tables_in_those_that_exist(
    aws: AwsServer, catalog: Catalog, table: IcebergTable
) -> None:
    aws.refuses = lambda request: request.operation == "AWSGlue.CreateDatabase"
    assert ensure_table(catalog, INDEX_SYNCS)


def test_every_column_is_explained_as_briefly_as_glue_wants_it() -> None:
    assert [
        (table.name, column.name) for table in ALL_TABLES for column in table.columns if len(column.meaning) > LONGEST_GLUE_COMMENT
    ] == []
