"""Each check against real rows on a batch's branch: right ones pass, wrong ones fail by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dev.stack import Stack
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.batches import branch_name
from embedding_lakehouse.core.checks import CHECKS
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, Table
from embedding_lakehouse.steps.embed_documents.auditing import Result, run_check
from tests.batches import BatchRun, put_documents, rewrite_branch, run_batch
from tests.lake_fixtures import SavedLake

Row = dict[str, Any]
Edit = Callable[[list[Row]], list[Row]]

# A chunk that stays as it is when a section follows it.
BETA = "# Beta\n\nThe text of beta."
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


class Committed:
    """A batch on its branches that changed `b`, emptied `c`, took `d` away, and copied for `e` what stands in `a`."""

    def __init__(self, lake: Lake, batch_id: str) -> None:
        self.lake = lake
        self.batch_id = batch_id

    def check(self, name: str) -> Result:
        return run_check(self.batch_id, name, self.lake)

    def rows(self, declared: Table) -> list[Row]:
        """The batch's rows on its branch of a table."""
        table = self.lake.table(declared)
        return scan(table, batch_id=self.batch_id).use_ref(branch_name(self.batch_id)).to_arrow().to_pylist()

    def embeddings(self, edit: Edit) -> "Committed":
        rewrite_branch(self.lake, DOCUMENT_EMBEDDINGS, self.batch_id, edit)
        return self

    def versions(self, edit: Edit) -> "Committed":
        rewrite_branch(self.lake, DOCUMENT_VERSIONS, self.batch_id, edit)
        return self

    def journal(self, batch_id: str, **changes: Any) -> "Committed":
        batches.journal(self.lake).change(lambda rows: [row | changes for row in rows if row["batch_id"] == batch_id])
        return self


@pytest.fixture(scope="module")
def saved(trino_stack: Stack, module_lake: Lake) -> tuple[SavedLake, str, str]:
    """Two batches, the first one published, the second one committed and not yet audited; their ids."""
    put_documents(module_lake, {"a": "Alpha.", "b": BETA, "c": "Gamma.", "d": "Delta."})
    first = run_batch(module_lake).batch_id
    put_documents(
        module_lake, {"a": "Alpha.", "b": f"{BETA}\n\n# More\n\nA section that leaves no place for the first one.", "c": "", "e": "Alpha."}
    )
    second = BatchRun(module_lake).until("commit").batch_id
    return SavedLake.of(trino_stack.home, module_lake), first, second


@pytest.fixture
def committed(saved: tuple[SavedLake, str, str], module_profiles: Path) -> Committed:
    return Committed(saved[0].restore(), saved[2])


def only(condition: Callable[[Row], bool]) -> Edit:
    """Keep the rows that meet the condition."""
    return lambda rows: [row for row in rows if condition(row)]


def first_with(**changes: Any) -> Edit:
    """Change the first row, by chunk or document."""

    def edit(rows: list[Row]) -> list[Row]:
        first, *others = sorted(rows, key=lambda row: row.get("chunk_id") or row["doc_id"])
        return [first | changes, *others]

    return edit


def document_with(doc_id: str, /, **changes: Any) -> Edit:
    """Change the rows of one document."""
    return lambda rows: [row | changes if row["doc_id"] == doc_id else row for row in rows]


def vector(*values: float) -> list[float]:
    """A vector that begins with these values."""
    return np.array([*values, *[1.0] * (8 - len(values))], np.float32).tolist()


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
def test_a_right_batch_passes(committed: Committed, name: str) -> None:
    assert committed.check(name) | {"embeddings_snapshot": 0, "versions_snapshot": 0} == {
        "check": name,
        "verdict": "passed",
        "violations": 0,
        "sample": [],
        "embeddings_snapshot": 0,
        "versions_snapshot": 0,
    }


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
    assert (result["verdict"], result["violations"], result["sample"][0][1]) == ("failed", 1, wrong)


def test_a_vector_with_a_single_value_is_not_zero(committed: Committed) -> None:
    committed.embeddings(first_with(embedding=[0.0] * 7 + [1e-30]))
    assert committed.check("no_vector_is_zero")["verdict"] == "passed"


def test_a_missing_value_in_any_required_column_is_found(committed: Committed) -> None:
    committed.embeddings(lambda rows: [rows[0] | {column: None} for column in REQUIRED])
    assert committed.check("no_required_value_is_null")["violations"] == len(REQUIRED)


def test_values_that_may_be_missing_are_no_violation(committed: Committed) -> None:
    committed.embeddings(first_with(token_count=None, copied_from_batch=None))
    assert committed.check("no_required_value_is_null")["verdict"] == "passed"


def test_a_chunk_that_stands_twice_in_the_batch_is_named(committed: Committed) -> None:
    result = committed.embeddings(lambda rows: [*rows, rows[0]]).check("no_chunk_is_committed_twice")
    assert (result["verdict"], result["violations"]) == ("failed", 1)


def published_again(rows: list[Row]) -> list[Row]:
    """Besides the batch's own rows the chunk that the first batch embedded for `a`."""
    return [*rows, rows[0] | {"doc_id": "a", "chunk_text": "Alpha.", "chunk_id": chunk_id("a", "Alpha.")}]


def test_a_chunk_that_another_batch_published_is_named_with_both(committed: Committed, saved: tuple[SavedLake, str, str]) -> None:
    result = committed.embeddings(published_again).check("no_chunk_is_committed_twice")
    ((doc_id, chunk, count, batch_ids),) = result["sample"]
    assert (doc_id, chunk, count) == ("a", chunk_id("a", "Alpha."), "2")
    assert saved[1] in batch_ids
    assert saved[2] in batch_ids


def test_a_chunk_of_a_rejected_batch_may_be_committed_again(committed: Committed, saved: tuple[SavedLake, str, str]) -> None:
    committed.embeddings(published_again).journal(saved[1], state="rejected")
    assert committed.check("no_chunk_is_committed_twice")["verdict"] == "passed"


def test_a_chunk_of_another_profile_is_another_chunk(committed: Committed) -> None:
    committed.embeddings(lambda rows: [*rows, rows[0] | {"model_version": "other-v1", "batch_id": "another"}])
    assert committed.check("no_chunk_is_committed_twice")["verdict"] == "passed"


def test_a_lost_chunk_is_named_by_its_document(committed: Committed) -> None:
    result = committed.embeddings(only(lambda row: row["doc_id"] != "e")).check("every_planned_chunk_is_committed")
    assert (result["verdict"], result["sample"]) == ("failed", [["e", "1", "0"]])


def test_a_chunk_that_nobody_planned_is_named(committed: Committed) -> None:
    result = committed.embeddings(published_again).check("every_planned_chunk_is_committed")
    assert (result["verdict"], result["sample"]) == ("failed", [["a", "0", "1"]])


def test_as_many_chunks_of_other_identity_are_not_the_planned_ones(committed: Committed) -> None:
    result = committed.embeddings(document_with("e", chunk_id="f" * 64)).check("every_planned_chunk_is_committed")
    assert (result["verdict"], result["sample"]) == ("failed", [["e", "1", "1"]])


def test_a_chunk_under_another_document_is_found(committed: Committed) -> None:
    result = committed.embeddings(document_with("e", doc_id="a")).check("every_planned_chunk_is_committed")
    assert sorted(result["sample"]) == [["a", "0", "1"], ["e", "1", "0"]]


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
    assert {row[0] for row in result["sample"]} == {doc_id}


def test_a_version_with_a_chunk_that_has_no_vector_is_named(committed: Committed) -> None:
    result = committed.embeddings(only(lambda row: row["doc_id"] != "e")).check("every_version_has_its_chunks")
    assert (result["verdict"], result["sample"]) == ("failed", [["e", chunk_id("e", "Alpha.")]])


def test_versions_whose_vectors_a_rejected_batch_made_are_named(committed: Committed, saved: tuple[SavedLake, str, str]) -> None:
    result = committed.journal(saved[1], state="rejected").check("every_version_has_its_chunks")
    kept, copied = ["b", chunk_id("b", BETA)], ["e", chunk_id("e", "Alpha.")]
    assert (result["verdict"], sorted(result["sample"])) == ("failed", [kept, copied])


def test_a_version_with_another_model_s_vector_only_is_named(committed: Committed) -> None:
    result = committed.embeddings(document_with("e", model_version="other-v1")).check("every_version_has_its_chunks")
    assert (result["verdict"], result["sample"]) == ("failed", [["e", chunk_id("e", "Alpha.")]])


def test_a_vector_that_no_version_names_is_found(committed: Committed) -> None:
    result = committed.versions(document_with("e", chunk_ids=[])).check("every_chunk_belongs_to_a_version")
    assert (result["verdict"], result["sample"]) == ("failed", [["e", chunk_id("e", "Alpha.")]])


UNCOVERED = {
    "without a version": only(lambda row: row["doc_id"] != "e"),
    "with an old version": document_with("e", content_hash="f" * 64),
    "that is called deleted": document_with("e", is_deleted=True),
}


@pytest.mark.parametrize("edit", UNCOVERED.values(), ids=UNCOVERED)
def test_a_source_document_is_named(committed: Committed, edit: Edit) -> None:
    result = committed.versions(edit).check("every_source_document_is_covered")
    assert (result["verdict"], [row[0] for row in result["sample"]]) == ("failed", ["e"])


def test_a_document_that_left_the_source_and_stays_current_is_named(committed: Committed) -> None:
    result = committed.versions(only(lambda row: row["doc_id"] != "d")).check("no_deleted_document_is_current")
    assert (result["verdict"], [row[0] for row in result["sample"]]) == ("failed", ["d"])


@pytest.mark.parametrize("name", ["every_source_document_is_covered", "no_deleted_document_is_current"])
def test_what_waits_for_the_next_batch_is_no_violation(committed: Committed, name: str) -> None:
    committed.versions(lambda rows: []).journal(committed.batch_id, documents_remaining=2)
    assert committed.check(name)["verdict"] == "passed"
