"""Setting up a lake: once, twice, over an older one, and never over something that somebody else means."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog, load_catalog

from embedding_lakehouse.clients.iceberg import MissingTable, head_snapshot, load_table
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS, Column
from embedding_lakehouse.errors import ConfigurationError
from embedding_lakehouse.steps.set_up import create_tables


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalog of the test's own."""
    return load_catalog("own", type="sql", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/warehouse")


@pytest.fixture
def own_lake(catalog: Catalog) -> Lake:
    """A lake without a SQL engine."""
    return Lake(catalog, sql=None)


def test_every_table_is_created(own_lake: Lake) -> None:
    assert create_tables(lake=own_lake) == [table.name for table in ALL_TABLES]


def test_a_second_set_up_changes_nothing(own_lake: Lake) -> None:
    create_tables(lake=own_lake)
    before = [own_lake.table(table).metadata_location for table in ALL_TABLES]
    assert create_tables(lake=own_lake) == []
    assert [own_lake.table(table).metadata_location for table in ALL_TABLES] == before


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_a_table_is_created_as_declared(catalog: Catalog, table) -> None:
    ensure_table(catalog, table)
    created = load_table(catalog, table)
    assert [(field.name, field.doc) for field in created.schema().fields] == [(column.name, column.meaning) for column in table.columns]
    assert len(created.spec().fields) == len(table.partitioned_by)
    assert {key: created.properties[key] for key in table.properties} == table.properties


def test_a_new_table_has_a_snapshot_to_branch_from(catalog: Catalog) -> None:
    ensure_table(catalog, DOCUMENT_EMBEDDINGS)
    assert head_snapshot(load_table(catalog, DOCUMENT_EMBEDDINGS)).parent_snapshot_id is None


def test_missing_columns_are_added_and_rows_stay(catalog: Catalog) -> None:
    older = replace(DOCUMENT_VERSIONS, columns=tuple(column for column in DOCUMENT_VERSIONS.columns if column.name != "chunk_ids"))
    ensure_table(catalog, older)
    table = load_table(catalog, older)
    table.append(pa.Table.from_pylist([{"doc_id": "a", "batch_number": 3}], schema=table.schema().as_arrow()))
    assert ensure_table(catalog, DOCUMENT_VERSIONS)
    (row,) = load_table(catalog, DOCUMENT_VERSIONS).scan().to_arrow().to_pylist()
    assert (row["doc_id"], row["batch_number"], row["chunk_ids"]) == ("a", 3, None)


def test_columns_that_somebody_added_stay(catalog: Catalog) -> None:
    ensure_table(catalog, replace(SOURCE_DOCUMENTS, columns=(*SOURCE_DOCUMENTS.columns, Column("owner", "string", "theirs"))))
    assert not ensure_table(catalog, SOURCE_DOCUMENTS)
    assert "owner" in load_table(catalog, SOURCE_DOCUMENTS).schema().column_names


def test_a_column_of_another_type_is_refused_and_nothing_changes(catalog: Catalog) -> None:
    wrong = [replace(column, type="long") if column.name == "content_hash" else column for column in SOURCE_DOCUMENTS.columns]
    ensure_table(catalog, replace(SOURCE_DOCUMENTS, columns=tuple(wrong[:4])))
    before = load_table(catalog, SOURCE_DOCUMENTS).metadata_location
    with pytest.raises(ConfigurationError, match=r"source_documents\.content_hash is long, this version needs string: migrate the column"):
        ensure_table(catalog, SOURCE_DOCUMENTS)
    assert load_table(catalog, SOURCE_DOCUMENTS).metadata_location == before


def test_a_table_without_a_snapshot_gets_one(catalog: Catalog) -> None:
    from embedding_lakehouse.clients.iceberg import arrow_schema

    ensure_table(catalog, SOURCE_DOCUMENTS)
    schema = arrow_schema(load_table(catalog, SOURCE_DOCUMENTS))
    catalog.drop_table(SOURCE_DOCUMENTS.name)
    catalog.create_table(SOURCE_DOCUMENTS.name, schema)
    assert ensure_table(catalog, SOURCE_DOCUMENTS)
    assert head_snapshot(load_table(catalog, SOURCE_DOCUMENTS))


def test_a_missing_table_says_what_to_run(catalog: Catalog) -> None:
    with pytest.raises(MissingTable, match=r"the table docs_db\.source_documents does not exist: run the DAG set_up_lakehouse first"):
        load_table(catalog, SOURCE_DOCUMENTS)


def test_a_lake_that_was_never_set_up_is_at_its_first_use(own_lake: Lake) -> None:
    own_lake.table(DOCUMENT_EMBEDDINGS)
    assert create_tables(lake=own_lake) == []
