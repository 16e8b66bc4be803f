"""Records of an index against the rows of the lake that they are copies of."""

from embedding_lakehouse.clients.pinecone import Record
from embedding_lakehouse.clients.sync_changes import EmbeddingRow
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.reconciliation import Difference, difference
from embedding_lakehouse.core.records import metadata


def record_difference(row: EmbeddingRow, found: Record | None, profile: Profile, title_may_be_gone: bool = False) -> Difference | None:
    """How a record differs from its row, vector and metadata; None where it does not.

    With `title_may_be_gone`, a title that the source no longer has is none: titles are not part of a version of a document.
    """
    receipt = metadata(row.columns, row.planned.title, profile.index.include_text)
    if found is None:
        return difference(row.vector, receipt, None, {})
    known = found.metadata
    if title_may_be_gone and "title" not in receipt:
        known = {key: value for key, value in known.items() if key != "title"}
    return difference(row.vector, receipt, found.values, known)
