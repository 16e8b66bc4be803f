"""A document's history: its versions, the chunks of one, what changed between two, and which releases of the index hold it."""

import json
from dataclasses import dataclass

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.releases import HELD
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, SOURCE_DOCUMENTS
from embedding_lakehouse.core.text_changes import Line, text_changes
from embedding_lakehouse.page.reading import Reading, side_by_side
from embedding_lakehouse.page.rows import Chunk, DocumentVersion, Release

SHOWN_CHUNKS = 200


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from an older version to a newer one; without lines `problem` says why."""

    older: DocumentVersion
    newer: DocumentVersion
    lines: list[Line]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A release with the version of the document that it holds; None where the snapshot that it was led to has expired."""

    release: Release
    content_hash: str | None


@dataclass(frozen=True, slots=True)
class History:
    """A document, with the version that is looked at."""

    versions: list[DocumentVersion]
    shown: DocumentVersion
    chunks: list[Chunk]
    comparison: Comparison | None
    releases: list[Held]


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
    found = side_by_side(
        chunks=lambda: reading.chunks(doc_id, shown.batch_number, SHOWN_CHUNKS) if shown.chunk_count else [],
        comparison=lambda: _comparison(lake, doc_id, shown, other),
        releases=lambda: _holding(lake, reading, doc_id),
    )
    return History(versions, shown, **found)


def _holding(lake: Lake, reading: Reading, doc_id: str) -> list[Held]:
    """The releases that hold the document, or may: of an expired state nothing is known."""
    ledger = lake.table(DOCUMENT_VERSIONS)
    led = [release for release in reading.releases() if release.state in HELD and release.versions_snapshot is not None]
    snapshots = {release.versions_snapshot for release in led if release.versions_snapshot}
    known = {snapshot: reading.held_version(doc_id, snapshot) for snapshot in snapshots if ledger.snapshot_by_id(snapshot)}
    held = [Held(release, known.get(release.versions_snapshot or 0)) for release in led]
    return [each for each in held if each.content_hash or each.release.versions_snapshot not in known]


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
