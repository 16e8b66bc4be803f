"""A lake with a history and an index that follows it, and all that anything hostile could have changed of them."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev.stack import Stack
from dev.stack.catalog import catalog_file, warehouse
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.errors import LakehouseError
from embedding_lakehouse.steps.set_up import create_views
from embedding_lakehouse.steps.set_up_index import create_index
from tests.batches import put_documents, run_batch
from tests.hostile_params import PROFILE
from tests.index_fixtures import API_KEY, Following, declaration
from tests.lake_fixtures import declare

FIRST = {"a": "Alpha is the first.", "b": "Beta is the second."}
SECOND = FIRST | {"a": "Alpha is the first, edited."}
LONGEST_MESSAGE = 1_500


@dataclass
class World:
    """A lake with two published batches and the index that follows them, with its home on disk."""

    following: Following
    home: Path

    @property
    def lake(self) -> Lake:
        return self.following.lake

    def state(self, but: str = "") -> tuple[list[Any], set[Path], dict[str, Any]]:
        """Every table with its metadata, which names its snapshots and branches, and every view; every file; every record."""
        connection = sqlite3.connect(catalog_file(self.home), timeout=60)
        with connection:
            listed = connection.execute(
                "select table_namespace, table_name, iceberg_type, metadata_location from iceberg_tables"
            ).fetchall()
        connection.close()
        namespace, _, name = but.partition(".")
        files = {file for file in warehouse(self.home).rglob("*.parquet") if not but or f"/{namespace}/{name}/" not in str(file)}
        records = {name: record.metadata["content_hash"] for name, record in self.following.records().items()}
        return sorted(row for row in listed if row[:2] != (namespace, name)), files, records


@pytest.fixture(scope="module")
def world(module_lake: Lake, module_profiles: Path, faulty_server: str, trino_stack: Stack) -> World:
    declare(module_profiles, declaration(PROFILE))
    create_views(module_lake)
    service = IndexService(API_KEY, faulty_server, patience=20)
    create_index(PROFILE, lake=module_lake, service=service)
    following = Following(module_lake, settings.profile(PROFILE), service)
    for documents in (FIRST, SECOND):
        put_documents(module_lake, documents)
        run_batch(module_lake, PROFILE)
        following.sync()
    return World(following, trino_stack.home)


@pytest.fixture
def unchanged(world: World) -> Iterator[World]:
    """The world, which is the same afterwards."""
    before = world.state()
    yield world
    assert world.state() == before


def is_plain(error: LakehouseError | str) -> bool:
    """Whether the error is short, on one line, and as printable as it was written by us."""
    return len(str(error)) < LONGEST_MESSAGE and str(error).isprintable()
