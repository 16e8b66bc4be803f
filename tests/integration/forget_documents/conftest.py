from pathlib import Path

import pytest

from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.ingest_tables import INGEST_TABLES
from tests.forgetting_fixtures import Forgetting
from tests.index_fixtures import builder, faulty_server, following, profile
from tests.ingest_runner import Ingestion
from tests.lake_fixtures import empty_lake, lake, profiles
from tests.maintenance_fixtures import own_lake
from tests.release_fixtures import Rebuilding, rebuilding

__all__ = ["builder", "empty_lake", "faulty_server", "following", "lake", "own_lake", "profile", "profiles", "rebuilding"]


@pytest.fixture
def forgetting(rebuilding: Rebuilding) -> Forgetting:
    """Erasures in the test's own lake and index."""
    return Forgetting(rebuilding.lake, rebuilding.service)


@pytest.fixture
def ingestion(rebuilding: Rebuilding, tmp_path: Path) -> Ingestion:
    """Ingestions of an empty folder into the lake."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for table in INGEST_TABLES:
        if rebuilding.lake.catalog.table_exists(table.name):
            rebuilding.lake.catalog.drop_table(table.name)
        ensure_table(rebuilding.lake.catalog, table)
    return Ingestion(rebuilding.lake, str(folder))
