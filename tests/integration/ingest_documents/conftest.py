from pathlib import Path

import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.ingest_tables import INGEST_TABLES
from tests.ingest_runner import Ingestion
from tests.lake_fixtures import empty_lake, lake, profiles

__all__ = ["empty_lake", "lake", "profiles"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty source folder."""
    source = tmp_path / "documents"
    source.mkdir()
    return source


@pytest.fixture
def ingestion(lake: Lake, folder: Path) -> Ingestion:
    """Ingestions of the folder into an empty lake."""
    for table in INGEST_TABLES:
        if lake.catalog.table_exists(table.name):
            lake.catalog.drop_table(table.name)
        ensure_table(lake.catalog, table)
    return Ingestion(lake, str(folder))
