"""The rows behind a record, and which of them answers: each profile has one, and each batch that made it anew."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from embedding_lakehouse.core.batches import REJECTED, BatchRow
from embedding_lakehouse.errors import quoted


class WrittenRow(NamedTuple):
    """A row of `document_embeddings` without its vector, as it was written."""

    chunk_id: str
    profile: str
    doc_id: str
    chunk_text: str
    chunk_index: int
    start_offset: int
    content_hash: str
    source_snapshot: int
    profile_fingerprint: str
    model_name: str
    model_version: str
    chunking_strategy: str
    embedded_at: datetime
    batch_id: str
    copied_from_batch: str | None


class EmbeddingRow(NamedTuple):
    """A written row with the batch that wrote it and the state of the one that made its vector."""

    chunk_id: str
    profile: str
    doc_id: str
    chunk_text: str
    chunk_index: int
    start_offset: int
    content_hash: str
    source_snapshot: int
    profile_fingerprint: str
    model_name: str
    model_version: str
    chunking_strategy: str
    embedded_at: datetime
    batch_id: str
    copied_from_batch: str | None
    batch_number: int | None
    state: str | None
    message: str | None
    dag_id: str | None
    run_id: str | None
    updated_at: datetime | None
    published_at: datetime
    maker_state: str | None
    maker_updated_at: datetime | None


class VersionRow(NamedTuple):
    """A version of a document as a batch recorded it; `chunk_ids` are those of the records in question that it has, None for a deletion."""

    profile: str
    doc_id: str
    content_hash: str
    source_snapshot: int | None
    is_deleted: bool
    batch_id: str
    batch_number: int
    recorded_at: datetime | None
    chunk_ids: list[str] | None


class SourceText(NamedTuple):
    """A document as a snapshot of the source holds it."""

    doc_id: str
    content_hash: str
    title: str | None
    source_uri: str | None
    updated_at: datetime | None
    document_text: str


class SourceVersion(NamedTuple):
    """A document as the source holds it now, without its text."""

    doc_id: str
    content_hash: str
    title: str | None
    source_uri: str | None


def embedding_row(row: WrittenRow, batches: Mapping[str, BatchRow], recorded_at: datetime | None) -> EmbeddingRow:
    """The row with its batches as the journal has them by their ids; one that does not say when it was published was when it recorded."""
    batch, maker = batches.get(row.batch_id, {}), batches.get(row.copied_from_batch or "", {})
    return EmbeddingRow(
        *row,
        batch_number=batch.get("batch_number"),
        state=batch.get("state"),
        message=batch.get("message"),
        dag_id=batch.get("dag_id"),
        run_id=batch.get("run_id"),
        updated_at=batch.get("updated_at"),
        published_at=batch.get("published_at") or recorded_at or row.embedded_at,
        maker_state=maker.get("state"),
        maker_updated_at=maker.get("updated_at"),
    )


def rejected_at(row: EmbeddingRow) -> datetime | None:
    """When the row's batch, or the one that made its vector, was rejected; None where neither is."""
    times = ((row.state, row.updated_at), (row.maker_state, row.maker_updated_at))
    return min((moment for state, moment in times if state == REJECTED and moment), default=None)


def chosen_row(rows: Iterable[EmbeddingRow], profile: str | None, default_profile: str, at: datetime | None) -> EmbeddingRow | None:
    """The row of a record that an answer at that time (None for now) was given from: the newest that was not rejected by then.

    Without a profile it is that of the default one, where that has one. A record with rejected rows alone has its newest; None where none
    of its rows fits.
    """
    published = [row for row in rows if at is None or row.published_at <= at]
    wanted = [row for row in published if row.profile == (profile or default_profile)]
    candidates = wanted if wanted or profile else published
    return max(candidates, key=lambda row: (not _was_rejected(row, at), row.published_at, row.batch_id), default=None)


def _was_rejected(row: EmbeddingRow, at: datetime | None) -> bool:
    rejected = rejected_at(row)
    return rejected is not None and (at is None or rejected <= at)


def unknown_because(rows: list[EmbeddingRow], profile: str | None, at: datetime | None) -> str:
    """Why none of a record's rows answers."""
    if not rows:
        return "it was never published"
    known = [row for row in rows if profile in (None, row.profile)]
    if not known:
        return f"it has no row under profile {quoted(profile)}, only under {', '.join(sorted({row.profile for row in rows}))}"
    return f"it was published on {min(row.published_at for row in known):%Y-%m-%d %H:%M:%S %Z}, after {at:%Y-%m-%d %H:%M:%S %Z}"
