"""The views that people ask, over two real batches of one profile and one of another."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.hashing import chunk_id, content_hash
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS
from embedding_lakehouse.steps.set_up import create_views
from tests.batches import BatchRun, put_documents, put_source_rows, run_batch

FIRST = {"a": "Alpha.", "b": "Beta.", "c": "Gamma.", "d": "Delta."}
SECOND = {"a": "Alpha.", "b": "Beta anew.", "c": "", "e": "Alpha."}
# What nobody embedded yet: `b` edited again, `e` taken away, `f` new, and `g` without a hash.
NOW = {"a": "Alpha.", "b": "Beta once more.", "c": "", "f": "New."}


class Views:
    """The views over two published batches of the profile `small`, whose source was edited again since."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        create_views(lake)
        put_documents(lake, FIRST)
        self.first = run_batch(lake)
        put_documents(lake, SECOND)
        self.second_source = head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id
        self.second = run_batch(lake)
        self.other = BatchRun(lake, "other").until("commit")
        rows = [
            {"doc_id": doc_id, "document_text": text, "content_hash": content_hash(text), "title": doc_id} for doc_id, text in NOW.items()
        ]
        put_source_rows(lake, [*rows, {"doc_id": "g", "document_text": "Never hashed."}])

    def select(self, columns: str, view: str, binds: Sequence[Any] = ("small",)) -> list[tuple[Any, ...]]:
        """Columns of the rows of one profile, sorted."""
        with closing(self.lake.sql.connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(f"select {columns} from embeddings_db.{view} where profile = ?", list(binds))
            return sorted(tuple(row) for row in cursor.fetchall())


@pytest.fixture(scope="module")
def views(module_lake: Lake) -> Views:
    return Views(module_lake)


def test_current_documents_are_the_latest_versions_without_the_deleted(views: Views) -> None:
    first, second = views.first.batch_id, views.second.batch_id
    assert views.select("doc_id, content_hash, batch_id", "current_documents") == [
        ("a", content_hash("Alpha."), first),
        ("b", content_hash("Beta anew."), second),
        ("c", content_hash(""), second),
        ("e", content_hash("Alpha."), second),
    ]


def test_current_documents_name_the_snapshot_that_holds_the_version(views: Views) -> None:
    (row,) = (row for row in views.select("doc_id, source_snapshot, batch_number, chunk_ids", "current_documents") if row[0] == "e")
    assert row[1:] == (views.second_source, 2, [chunk_id("e", "Alpha.")])


def test_current_embeddings_are_the_vectors_of_current_documents(views: Views) -> None:
    assert views.select("doc_id, chunk_text, current_chunk_index", "current_embeddings") == [
        ("a", "Alpha.", 0),
        ("b", "Beta anew.", 0),
        ("e", "Alpha.", 0),
    ]


def test_current_embeddings_say_where_a_copied_vector_comes_from(views: Views) -> None:
    assert views.select("doc_id, batch_id, copied_from_batch", "current_embeddings")[2] == (
        "e",
        views.second.batch_id,
        views.first.batch_id,
    )


def test_lineage_leads_from_a_chunk_to_the_run_that_made_it(views: Views) -> None:
    assert views.select("doc_id, batch_number, dag_id, run_id, model_version, title", "embedding_lineage") == [
        ("a", 1, "embed_documents", "a run", "small-v1", "a"),
        ("b", 2, "embed_documents", "a run", "small-v1", "b"),
        ("e", 2, "embed_documents", "a run", "small-v1", None),
    ]


def test_coverage_tells_covered_outdated_missing_and_orphaned_apart(views: Views) -> None:
    columns = "source_count, covered_count, outdated_count, missing_count, orphaned_count, covered_share"
    # `a` and `c` are covered, `b` is outdated, `f` and `g` are missing, `e` is orphaned.
    assert views.select(columns, "profile_coverage") == [(5, 2, 1, 2, 1, 0.4)]


def test_freshness_is_that_of_the_last_published_batch(views: Views) -> None:
    assert views.select("batch_number, batch_id, source_snapshot, documents_remaining, synced_at", "profile_freshness") == [
        (2, views.second.batch_id, views.second_source, 0, None)
    ]


def test_a_profile_that_published_nothing_has_no_freshness(views: Views) -> None:
    assert views.select("batch_id", "profile_freshness", ("other",)) == []


def test_costs_show_what_each_batch_reused(views: Views) -> None:
    documents, chunks = "documents_new, documents_changed, documents_deleted", "chunks_planned, chunks_copied, texts_embedded, reused_share"
    assert views.select(f"batch_number, state, {documents}, {chunks}", "embedding_costs") == [
        (1, "published", 4, 0, 0, 4, 0, 4, 0.0),
        (2, "published", 1, 2, 1, 2, 1, 1, 0.5),
    ]


def test_index_state_is_empty_before_an_index_was_made(views: Views) -> None:
    assert views.select("release_id", "index_state") == []


def test_vectors_of_a_rejected_batch_are_not_current(views: Views) -> None:
    def reject(state: str) -> None:
        batches.journal(views.lake).change(
            lambda rows: [row | {"state": state} for row in rows if row["batch_id"] == views.second.batch_id]
        )

    reject("rejected")
    try:
        assert views.select("doc_id", "current_embeddings") == [("a",)]
    finally:
        reject("published")


def test_creating_the_views_again_changes_no_answer(views: Views) -> None:
    before = views.select("doc_id, chunk_id", "current_embeddings")
    create_views(views.lake)
    assert views.select("doc_id, chunk_id", "current_embeddings") == before
