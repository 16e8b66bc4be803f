"""The checks a batch must pass before it is published: each a file of `sql/checks/`, named by the sentence that must hold."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its sentence, what a violation means, the values its statement binds, and how many offending rows are allowed."""

    name: str
    meaning: str
    binds: tuple[str, ...]
    severity: Literal["fail", "warn"] = "fail"
    threshold: int = 0


CHECKS = (
    Check("every_vector_has_the_declared_dimension", "a vector has another length than its profile declares", ("batch_id", "dimensions")),
    Check("no_required_value_is_null", "a row cannot be traced, found or compared", ("batch_id",)),
    Check("every_vector_is_finite", "the model answered NaN or infinity", ("batch_id",)),
    Check("no_vector_is_zero", "a zero vector is near to nothing and no index takes it", ("batch_id",)),
    Check("no_chunk_is_committed_twice", "a chunk has two current vectors", ("batch_id", "model_version", "batch_id")),
    Check("every_planned_chunk_is_committed", "chunks were lost or added between plan and commit", ("batch_id",) * 4),
    Check("every_planned_document_has_its_version", "the ledger lacks a planned document or has another version", ("batch_id", "batch_id")),
    Check("every_version_has_its_chunks", "the ledger names a chunk that has no vector", ("batch_id", "model_version")),
    Check("every_chunk_belongs_to_a_version", "a vector that no version names", ("batch_id", "batch_id")),
    Check("every_source_document_is_covered", "a source document has no current version", ("profile", "documents_remaining")),
    Check("no_chunk_is_rejected", "the model refused a text: its chunk cannot be found by a search", ("batch_id",), severity="warn"),
    Check("every_source_row_has_a_doc_id", "a source row without a doc_id was left out: give it one", (), severity="warn"),
    Check("no_deleted_document_is_current", "a document that left the source is still current", ("profile", "documents_remaining")),
)


def check_named(name: str) -> Check:
    """The declared check of that name."""
    return next(check for check in CHECKS if check.name == name)
