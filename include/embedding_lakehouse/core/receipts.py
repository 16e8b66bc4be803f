"""Matches and receipts: what stands behind a record of the index."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedding_lakehouse.core.hashing import chunk_id, content_hash
from embedding_lakehouse.core.record_rows import EmbeddingRow, SourceText, SourceVersion, VersionRow, rejected_at
from embedding_lakehouse.core.texts import is_writable
from embedding_lakehouse.core.times import snapshot_id

RECORD_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Match:
    """A chunk that answers a question, and where it comes from: `content_hash` names the version of the document it was cut from."""

    score: float
    doc_id: str
    title: str | None
    content_hash: str
    chunk_id: str
    chunk_index: int
    start_offset: int
    model_version: str
    batch_id: str
    source_snapshot: int
    release_id: str
    text: str | None


def match_of(record_id: str, score: float | None, receipt: dict[str, Any], model_version: str, release_id: str) -> Match | None:
    """The match that a record of the index tells, None for one that this package cannot have written.

    Whoever may write to the index may have: so every value is looked at, and a text must be that of the record's id, which is its hash.
    """
    doc_id, content_hash, batch_id, source = (_text(receipt, name) for name in ("doc_id", "content_hash", "batch_id", "source_snapshot"))
    chunk_index, start_offset, snapshot = _place(receipt, "chunk_index"), _place(receipt, "start_offset"), snapshot_id(source or "")
    if not RECORD_ID.fullmatch(record_id) or receipt.get("model_version") != model_version:
        return None
    if doc_id is None or content_hash is None or batch_id is None or chunk_index is None or start_offset is None or snapshot is None:
        return None
    text = _text(receipt, "text")
    if "text" in receipt and not (text is not None and is_text_of(record_id, doc_id, text)):
        return None
    return Match(
        score=score or 0.0,
        doc_id=doc_id,
        title=_text(receipt, "title"),
        content_hash=content_hash,
        chunk_id=record_id,
        chunk_index=chunk_index,
        start_offset=start_offset,
        model_version=model_version,
        batch_id=batch_id,
        source_snapshot=snapshot,
        release_id=release_id,
        text=text,
    )


def is_text_of(record_id: str, doc_id: str, text: str) -> bool:
    """Whether the text is the one that the record's id is the hash of, in that document."""
    return is_writable(text) and chunk_id(doc_id, text) == record_id


def _text(receipt: dict[str, Any], name: str) -> str | None:
    value = receipt.get(name)
    return value if isinstance(value, str) and is_writable(value) else None


def _place(receipt: dict[str, Any], name: str) -> int | None:
    """A whole number of a receipt, which the index keeps as a double; None for what is none."""
    value = receipt.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return None
    return int(value) if value == int(value) else None


@dataclass(frozen=True, slots=True)
class Passage:
    """The chunk: its exact text and its place in the version it was cut from, in characters; `end_offset` is the first one after it."""

    text: str
    chunk_index: int
    start_offset: int
    end_offset: int


@dataclass(frozen=True, slots=True)
class Version:
    """The version of the document that the chunk was cut from. `document_text` is its exact text.

    `is_text_verified` says whether its SHA-256 is the `content_hash`, `is_passage_in_place` whether the passage stands where the receipt
    says. Without a text all three are None, and `problem` says why.
    """

    content_hash: str
    source_snapshot: int
    snapshot_at: datetime | None
    ingested_at: datetime | None
    title: str | None
    source_uri: str | None
    document_text: str | None
    is_text_verified: bool | None
    is_passage_in_place: bool | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Vector:
    """How the vector was made. `copied_from_batch` is the batch that made it for the same text elsewhere, None where it was embedded."""

    profile: str
    profile_fingerprint: str
    model_name: str
    model_version: str
    chunking_strategy: str
    embedded_at: datetime
    copied_from_batch: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """The batch that wrote the row, as it is now. `rejected_at` is when a roll-back took it, or the batch its vector came from, back."""

    batch_id: str
    batch_number: int | None
    state: str | None
    message: str | None
    dag_id: str | None
    run_id: str | None
    published_at: datetime
    rejected_at: datetime | None


@dataclass(frozen=True, slots=True)
class CurrentVersion:
    """The version that was current under the profile at the moment of the question, and whether the passage was part of it."""

    content_hash: str
    source_snapshot: int | None
    is_deleted: bool
    has_passage: bool


def current_version(versions: Iterable[VersionRow], row: EmbeddingRow) -> CurrentVersion | None:
    """The latest of the versions of the row's document, None without any. The passage is part of it where it has the chunk, and where the
    batch that wrote the row is among those that made the versions.
    """
    known = list(versions)
    if not known:
        return None
    latest = max(known, key=lambda version: version.batch_number)
    is_made = any(version.batch_id == row.batch_id for version in known)
    has_passage = not latest.is_deleted and is_made and row.chunk_id in (latest.chunk_ids or ())
    return CurrentVersion(latest.content_hash, latest.source_snapshot, latest.is_deleted, has_passage)


@dataclass(frozen=True, slots=True)
class HoldingRelease:
    """A release of the index that held the record at the moment of the question, and the document's version in it.

    It is not exact where the snapshot that the release was led to has expired: then it is what was published by that moment.
    """

    release_id: str
    namespace: str
    state: str
    content_hash: str
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What stands behind a record. The last three say what became of the document in the source since that version."""

    record_id: str
    doc_id: str
    passage: Passage
    version: Version
    vector: Vector
    batch: Batch
    current_version: CurrentVersion | None
    releases: tuple[HoldingRelease, ...]
    remarks: tuple[str, ...]
    current_content_hash: str | None
    is_changed: bool
    is_deleted: bool


def version_of(row: EmbeddingRow, source: SourceText | None, snapshot_at: datetime | None, now: SourceVersion | None) -> Version:
    """The row's version with its text, checked; `snapshot_at` is None where the source's snapshot has expired."""
    text = source.document_text if source else None
    known = source or now
    return Version(
        content_hash=row.content_hash,
        source_snapshot=row.source_snapshot,
        snapshot_at=snapshot_at,
        ingested_at=source.updated_at if source else None,
        title=known.title if known else None,
        source_uri=known.source_uri if known else None,
        document_text=text,
        is_text_verified=None if text is None else content_hash(text) == row.content_hash,
        is_passage_in_place=None if text is None else text.startswith(row.chunk_text, row.start_offset),
        problem=None if source else _no_text(row, snapshot_at),
    )


def _no_text(row: EmbeddingRow, snapshot_at: datetime | None) -> str:
    if snapshot_at is None:
        return f"the snapshot {row.source_snapshot} of docs_db.source_documents has expired: of that version only the passages are left"
    return f"the snapshot {row.source_snapshot} of docs_db.source_documents holds no version {row.content_hash} of this document"


def receipt_of(
    row: EmbeddingRow,
    version: Version,
    current: CurrentVersion | None,
    releases: Iterable[HoldingRelease],
    now: SourceVersion | None,
    remarks: Iterable[str],
) -> Receipt:
    """The receipt of a row; `now` is None where the source holds the document no longer."""
    return Receipt(
        record_id=row.chunk_id,
        doc_id=row.doc_id,
        passage=Passage(row.chunk_text, row.chunk_index, row.start_offset, row.start_offset + len(row.chunk_text)),
        version=version,
        vector=_of(Vector, row),
        batch=Batch(**{name: getattr(row, name) for name in Batch.__slots__ if name != "rejected_at"}, rejected_at=rejected_at(row)),
        current_version=current,
        releases=tuple(releases),
        remarks=tuple(remarks),
        current_content_hash=now.content_hash if now else None,
        is_changed=now is not None and now.content_hash != row.content_hash,
        is_deleted=now is None,
    )


def _of(kind: type[Vector], row: EmbeddingRow) -> Vector:
    return kind(**{name: getattr(row, name) for name in kind.__slots__})
