"""A document's history: its versions, the chunks of one, what changed between two, and which releases of the index hold it."""

import json
from dataclasses import dataclass

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.receipts import HoldingRelease
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS
from embedding_lakehouse.core.text_changes import Line, text_changes
from embedding_lakehouse.page.reading import Reading
from embedding_lakehouse.page.rows import Chunk, DocumentVersion
from embedding_lakehouse.receipts import explain

SHOWN_CHUNKS = 200


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from an older version to a newer one; without lines `problem` says why."""

    older: DocumentVersion
    newer: DocumentVersion
    lines: list[Line]
    problem: str | None


@dataclass(frozen=True, slots=True)
class History:
    """A document, with the version that is looked at."""

    versions: list[DocumentVersion]
    shown: DocumentVersion
    chunks: list[Chunk]
    comparison: Comparison | None
    releases: tuple[HoldingRelease, ...]


def document_history(lake: Lake, profile: Profile, doc_id: str, version: int | None, than: int | None) -> History | None:
    """The history of a document under a profile, None where it has none.

    `version` is the batch number of the version to look at, otherwise the newest; `than` that of the one to compare it with, otherwise the
    one before it.
    """
    reading = Reading(lake.sql, profile)
    versions = reading.versions(doc_id)
    if not versions:
        return None
    shown = next((each for each in versions if each.batch_number == version), versions[0])
    earlier = [each for each in versions if each.batch_number < shown.batch_number]
    other = next((each for each in versions if each.batch_number == than and each is not shown), earlier[0] if earlier else None)
    chunks = reading.chunks(doc_id, shown.batch_number, SHOWN_CHUNKS) if shown.chunk_count else []
    return History(versions, shown, chunks, _comparison(lake, doc_id, shown, other), _releases(lake, profile, chunks))


def _releases(lake: Lake, profile: Profile, chunks: list[Chunk]) -> tuple[HoldingRelease, ...]:
    """The releases that hold the version, as its first chunk that has a row tells."""
    known = next((chunk.chunk_id for chunk in chunks if chunk.chunk_text is not None), None)
    found = explain([known], profile.name, lake=lake).receipts if known else []
    return found[0].releases if found else ()


def _comparison(lake: Lake, doc_id: str, shown: DocumentVersion, other: DocumentVersion | None) -> Comparison | None:
    if other is None:
        return None
    older, newer = sorted((shown, other), key=lambda each: each.batch_number)
    texts = [_text(lake, doc_id, each) for each in (older, newer)]
    if any(text is None for text in texts):
        return Comparison(older, newer, [], "the text of one of them is no longer kept: its snapshot of the source has expired")
    lines = text_changes(*(text or "" for text in texts))
    if lines is None:
        return Comparison(older, newer, [], "the texts are too long to be compared here")
    return Comparison(older, newer, lines, None)


def _text(lake: Lake, doc_id: str, version: DocumentVersion) -> str | None:
    """The text of the version by time travel; empty for a deletion, None where the snapshot or the text is gone."""
    if version.is_deleted:
        return ""
    snapshot = version.source_snapshot
    if snapshot is None or lake.table(SOURCE_DOCUMENTS).snapshot_by_id(snapshot) is None:
        return None
    rows = lake.sql.rows("receipts/read_source_texts", [json.dumps([doc_id], ensure_ascii=False)], source_snapshot=snapshot)
    return next((text for _, content_hash, _, _, _, text in rows if content_hash == version.content_hash), None)
