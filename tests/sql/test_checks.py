"""Each check against real rows on a batch's branch: right ones pass, wrong ones fail by name."""

import numpy as np
import pytest

from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.settings import checks
from tests.checked_batch import BETA, Committed, Edit, Row, document_with, first_with, only, vector

REQUIRED = (
    "doc_id",
    "chunk_id",
    "chunk_text",
    "embedding",
    "embedding_dim",
    "model_name",
    "model_version",
    "chunking_strategy",
    "source_snapshot",
    "created_at",
    "profile",
    "profile_fingerprint",
    "content_hash",
    "text_hash",
)


@pytest.mark.parametrize("name", list(checks()))
def test_a_right_batch_passes(committed: Committed, name: str) -> None:
    result = committed.check(name)
    assert (result["check"], result["verdict"], result["batch_id"]) == (name, "passed", committed.batch_id)
    assert checks()[name].kind == "value" or (result["value"], result["sample"]) == (0, [])


WRONG_VECTORS = {
    "a vector too short": ("every_vector_has_the_declared_dimension", {"embedding": [1.0] * 7}),
    "a vector too long": ("every_vector_has_the_declared_dimension", {"embedding": [1.0] * 9, "embedding_dim": 9}),
    "a row that says another length": ("every_vector_has_the_declared_dimension", {"embedding_dim": 7}),
    "an empty vector": ("every_vector_has_the_declared_dimension", {"embedding": []}),
    "not a number": ("every_vector_is_finite", {"embedding": vector(1, np.nan)}),
    "infinity": ("every_vector_is_finite", {"embedding": vector(np.inf)}),
    "minus infinity": ("every_vector_is_finite", {"embedding": vector(-np.inf)}),
    "zero": ("no_vector_is_zero", {"embedding": [0.0] * 8}),
    "minus zero": ("no_vector_is_zero", {"embedding": [-0.0] * 8}),
    "no value in one dimension": ("no_required_value_is_null", {"embedding": [None, *[1.0] * 7]}),
}


@pytest.mark.parametrize(("name", "changes"), WRONG_VECTORS.values(), ids=WRONG_VECTORS)
def test_a_wrong_vector_is_named(committed: Committed, name: str, changes: Row) -> None:
    wrong = min(row["chunk_id"] for row in committed.rows(DOCUMENT_EMBEDDINGS))
    result = committed.embeddings(first_with(**changes)).check(name)
    assert (result["verdict"], result["value"], result["sample"][0]["chunk_id"]) == ("failed", 1, wrong)


def test_a_vector_with_a_single_value_is_not_zero(committed: Committed) -> None:
    committed.embeddings(first_with(embedding=[0.0] * 7 + [1e-30]))
    assert committed.check("no_vector_is_zero")["verdict"] == "passed"


def test_a_missing_value_in_any_required_column_is_found(committed: Committed) -> None:
    committed.embeddings(lambda rows: [rows[0] | {column: None} for column in REQUIRED])
    assert committed.check("no_required_value_is_null")["value"] == len(REQUIRED)


def test_values_that_may_be_missing_are_no_violation(committed: Committed) -> None:
    committed.embeddings(first_with(token_count=None, copied_from_batch=None))
    assert committed.check("no_required_value_is_null")["verdict"] == "passed"


def test_a_chunk_that_stands_twice_in_the_batch_is_named(committed: Committed) -> None:
    result = committed.embeddings(lambda rows: [*rows, rows[0]]).check("no_chunk_is_committed_twice")
    assert (result["verdict"], result["value"]) == ("failed", 1)


def published_again(rows: list[Row]) -> list[Row]:
    """Besides the batch's own rows the chunk that the first batch embedded for `a`."""
    return [*rows, rows[0] | {"doc_id": "a", "chunk_text": "Alpha.", "chunk_id": chunk_id("a", "Alpha.")}]


def test_a_chunk_that_another_batch_published_is_named_with_both(committed: Committed) -> None:
    result = committed.embeddings(published_again).check("no_chunk_is_committed_twice")
    (row,) = result["sample"]
    assert (row["doc_id"], row["chunk_id"], row["row_count"]) == ("a", chunk_id("a", "Alpha."), 2)
    assert sorted(row["batch_ids"]) == sorted([committed.first, committed.batch_id])


def test_a_chunk_of_a_rejected_batch_may_be_committed_again(committed: Committed) -> None:
    committed.embeddings(published_again).journal(committed.first, state="rejected")
    assert committed.check("no_chunk_is_committed_twice")["verdict"] == "passed"


def test_a_chunk_of_another_profile_is_another_chunk(committed: Committed) -> None:
    committed.embeddings(lambda rows: [*rows, rows[0] | {"model_version": "other-v1", "batch_id": "another"}])
    assert committed.check("no_chunk_is_committed_twice")["verdict"] == "passed"


def test_a_lost_chunk_is_named_by_its_document(committed: Committed) -> None:
    result = committed.embeddings(only(lambda row: row["doc_id"] != "e")).check("every_planned_chunk_is_committed")
    assert (result["verdict"], result["sample"]) == ("failed", [{"doc_id": "e", "missing_count": 1, "unplanned_count": 0}])


def test_a_chunk_that_nobody_planned_is_named(committed: Committed) -> None:
    result = committed.embeddings(published_again).check("every_planned_chunk_is_committed")
    assert (result["verdict"], result["sample"]) == ("failed", [{"doc_id": "a", "missing_count": 0, "unplanned_count": 1}])


def test_as_many_chunks_of_other_identity_are_not_the_planned_ones(committed: Committed) -> None:
    result = committed.embeddings(document_with("e", chunk_id="f" * 64)).check("every_planned_chunk_is_committed")
    assert (result["verdict"], result["sample"]) == ("failed", [{"doc_id": "e", "missing_count": 1, "unplanned_count": 1}])


def test_a_chunk_under_another_document_is_found(committed: Committed) -> None:
    result = committed.embeddings(document_with("e", doc_id="a")).check("every_planned_chunk_is_committed")
    assert {(row["doc_id"], row["missing_count"], row["unplanned_count"]) for row in result["sample"]} == {("a", 0, 1), ("e", 1, 0)}


WRONG_VERSIONS = {
    "lost": (only(lambda row: row["doc_id"] != "c"), "c"),
    "twice": (lambda rows: [*rows, next(row for row in rows if row["doc_id"] == "c")], "c"),
    "of another text": (document_with("c", content_hash="f" * 64), "c"),
    "not planned": (lambda rows: [*rows, rows[0] | {"doc_id": "z"}], "z"),
    "deleted by mistake": (document_with("c", is_deleted=True), "c"),
    "not deleted by mistake": (document_with("d", is_deleted=False), "d"),
}


@pytest.mark.parametrize(("edit", "doc_id"), WRONG_VERSIONS.values(), ids=WRONG_VERSIONS)
def test_a_wrong_version_is_named(committed: Committed, edit: Edit, doc_id: str) -> None:
    result = committed.versions(edit).check("every_planned_document_has_its_version")
    assert result["verdict"] == "failed"
    assert {row["doc_id"] for row in result["sample"]} == {doc_id}


def test_a_version_with_a_chunk_that_has_no_vector_is_named(committed: Committed) -> None:
    result = committed.embeddings(only(lambda row: row["doc_id"] != "e")).check("every_version_has_its_chunks")
    assert (result["verdict"], result["sample"]) == ("failed", [{"doc_id": "e", "chunk_id": chunk_id("e", "Alpha.")}])


def test_versions_whose_vectors_a_rejected_batch_made_are_named(committed: Committed) -> None:
    result = committed.journal(committed.first, state="rejected").check("every_version_has_its_chunks")
    kept, copied = ("b", chunk_id("b", BETA)), ("e", chunk_id("e", "Alpha."))
    assert (result["verdict"], sorted(tuple(row.values()) for row in result["sample"])) == ("failed", [kept, copied])


def test_a_version_with_another_model_s_vector_only_is_named(committed: Committed) -> None:
    result = committed.embeddings(document_with("e", model_version="other-v1")).check("every_version_has_its_chunks")
    assert (result["verdict"], result["sample"]) == ("failed", [{"doc_id": "e", "chunk_id": chunk_id("e", "Alpha.")}])


def test_a_vector_that_no_version_names_is_found(committed: Committed) -> None:
    result = committed.versions(document_with("e", chunk_ids=[])).check("every_chunk_belongs_to_a_version")
    assert (result["verdict"], result["sample"]) == ("failed", [{"doc_id": "e", "chunk_id": chunk_id("e", "Alpha.")}])


UNCOVERED = {
    "without a version": only(lambda row: row["doc_id"] != "e"),
    "with an old version": document_with("e", content_hash="f" * 64),
    "that is called deleted": document_with("e", is_deleted=True),
}


@pytest.mark.parametrize("edit", UNCOVERED.values(), ids=UNCOVERED)
def test_a_source_document_is_named(committed: Committed, edit: Edit) -> None:
    result = committed.versions(edit).check("every_source_document_is_covered")
    assert (result["verdict"], [row["doc_id"] for row in result["sample"]]) == ("failed", ["e"])


def test_a_document_that_left_the_source_and_stays_current_is_named(committed: Committed) -> None:
    result = committed.versions(only(lambda row: row["doc_id"] != "d")).check("no_deleted_document_is_current")
    assert (result["verdict"], [row["doc_id"] for row in result["sample"]]) == ("failed", ["d"])


@pytest.mark.parametrize("name", ["every_source_document_is_covered", "no_deleted_document_is_current"])
def test_what_waits_for_the_next_batch_is_no_violation(committed: Committed, name: str) -> None:
    committed.versions(lambda rows: []).journal(committed.batch_id, documents_remaining=2)
    assert committed.check(name)["verdict"] == "passed"
