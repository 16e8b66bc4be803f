"""A lake in folders of its own, whose files may really be removed, and the DAG maintain_tables over it in one call."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.stack import Stack
from dev.stack.catalog import catalog_file, warehouse
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.maintenance_runs import maintenance_rows
from embedding_lakehouse.core.maintenance import Rules
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, Table
from embedding_lakehouse.steps.maintain_tables.maintaining import maintain_table
from embedding_lakehouse.steps.set_up import create_tables

AT_ONCE = Rules(
    small_files=3, snapshot_age=timedelta(0), receipt_age=timedelta(0), orphan_age=timedelta(0), is_dry_run=False
)  # nothing is too young
Row = dict[str, Any]


@pytest.fixture
def own_lake(trino_stack: Stack, profiles: Path) -> Iterator[Lake]:
    """A lake with empty tables, none of whose files another test needs."""
    yield from _own_lake(trino_stack.home)


@pytest.fixture(scope="module")
def own_module_lake(trino_stack: Stack, module_profiles: Path) -> Iterator[Lake]:
    """The same for fixtures that all tests of a module share."""
    yield from _own_lake(trino_stack.home)


def _own_lake(home: Path) -> Iterator[Lake]:
    """The tables of other tests are set aside meanwhile, in the catalog and on the disk."""
    connect().catalog.list_namespaces()
    aside = warehouse(home).with_name("aside")
    with closing(sqlite3.connect(catalog_file(home), timeout=60)) as catalog:
        with catalog:
            catalog.execute("create table aside as select * from iceberg_tables")
            catalog.execute("delete from iceberg_tables")
        warehouse(home).mkdir(parents=True, exist_ok=True)
        warehouse(home).rename(aside)
        lake = connect()
        create_tables(lake=lake)
        yield lake
        shutil.rmtree(warehouse(home))
        aside.rename(warehouse(home))
        with catalog:
            catalog.execute("delete from iceberg_tables")
            catalog.execute("insert into iceberg_tables select * from aside")
            catalog.execute("drop table aside")


@dataclass
class Maintaining:
    """Runs of maintain_tables over a lake, one after the other."""

    lake: Lake
    rules: Rules = AT_ONCE
    runs: int = field(default=0)

    def run(self, *tables: Table, **rules: Any) -> dict[str, Row]:
        """One run over these tables, all if none is named; what it recorded by table."""
        self.runs += 1
        name, keys = f"run {self.runs}", replace(self.rules, **rules).as_keys()
        for table in tables or ALL_TABLES:
            maintain_table(table.name, keys, name, lake=self.lake)
        return {row["table_name"]: row for row in maintenance_rows(self.lake, name)}


@pytest.fixture
def maintaining(own_lake: Lake) -> Maintaining:
    """Maintenance that finds nothing too young."""
    return Maintaining(own_lake)


def files_of(lake: Lake, table: Table) -> set[Path]:
    """Every file in the table's folder."""
    folder = Path(lake.table(table).location().removeprefix("file://"))
    return {file for file in folder.rglob("*") if file.is_file()}


def files_older_by(lake: Lake, table: Table, age: timedelta, chosen: Callable[[Path], bool] = lambda file: True) -> None:
    """Let files of the table look as if they had been written so much earlier."""
    import os

    for file in files_of(lake, table):
        if chosen(file):
            written = file.stat().st_mtime - age.total_seconds()
            os.utime(file, (written, written))


def history_older_by(lake: Lake, table: Table, age: timedelta) -> None:
    """Let everything that the table's metadata dates look as if it had happened so much earlier."""
    file = Path(lake.table(table).metadata_location.removeprefix("file://"))
    metadata, milliseconds = json.loads(file.read_text()), int(age.total_seconds() * 1000)
    metadata["last-updated-ms"] -= milliseconds
    for entry in (*metadata["snapshots"], *metadata["snapshot-log"], *metadata["metadata-log"]):
        entry["timestamp-ms"] -= milliseconds
    file.write_text(json.dumps(metadata))


def compact(lake: Lake) -> None:
    """Let Trino write the small files of both tables together."""
    for table in (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS):
        lake.sql.execute("maintenance/trino/compact_table", table_name=table.name, megabytes=64)
