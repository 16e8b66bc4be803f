"""A chunk that two batches embedded, the first of which was undone meanwhile and is put back: it is current once, as in the index."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.steps.set_up import create_views
from tests.lake_builder import LakeBuilder

DOCUMENTS = {"a.md": ["a one", "a two"], "b.md": ["b one"]}


@pytest.mark.parametrize("view", ["current_embeddings", "embedding_lineage"])
def test_it_is_current_with_the_row_of_the_latest_batch(lake: Lake, profiles: Path, view: str) -> None:
    create_views(lake)
    builder = LakeBuilder(lake, settings.profile("small"))
    undone = builder.publish(DOCUMENTS)
    builder.reject(undone)
    again = builder.publish(DOCUMENTS)
    builder.put_back(undone)
    assert _rows(lake, view) == sorted((name, again) for name in builder.current())


def test_a_batch_that_stays_undone_leaves_the_row_of_the_one_before(lake: Lake, profiles: Path) -> None:
    create_views(lake)
    builder = LakeBuilder(lake, settings.profile("small"))
    first = builder.publish(DOCUMENTS)
    builder.reject(first)
    builder.reject(builder.publish(DOCUMENTS))
    builder.put_back(first)
    assert _rows(lake, "current_embeddings") == sorted((name, first) for name in builder.current())


def _rows(lake: Lake, view: str) -> list[tuple[Any, ...]]:
    with closing(lake.sql.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"select chunk_id, batch_id from embeddings_db.{view} where profile = 'small'")
        return sorted(tuple(row) for row in cursor.fetchall())
