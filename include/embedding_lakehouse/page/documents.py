"""A document's history: its versions, the chunks of one, what changed between two, and which releases of the index hold it."""

from dataclasses import dataclass
from functools import partial

from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.side_by_side import side_by_side
from embedding_lakehouse.clients.source_history import holding_snapshots
from embedding_lakehouse.core.batches import REJECTED
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.releases import HELD
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, SOURCE_DOCUMENTS
from embedding_lakehouse.core.text_changes import Line, text_changes
from embedding_lakehouse.page.document_rows import BatchState, Chunk, ChunkRow, DocumentVersion
from embedding_lakehouse.page.reading import Reading
from embedding_lakehouse.page.rows import Release

SHOWN_CHUNKS = 200
SHOWN_VERSIONS = 100


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
    read = side_by_side(
        rows=lambda: reading.versions(doc_id),
        states=reading.batch_states,
        chunk_ids=lambda: reading.chunk_ids(doc_id, version, SHOWN_CHUNKS),
        releases=reading.releases,
    )
    states: dict[str, BatchState] = read["states"]
    versions = [DocumentVersion.of(row, states.get(row.batch_id, BatchState())) for row in read["rows"]]
    if not versions:
        return None
    shown = next((each for each in versions if each.batch_number == version), versions[0])
    earlier = [each for each in versions if each.batch_number < shown.batch_number]
    other = next((each for each in versions if each.batch_number == than and each is not shown), earlier[0] if earlier else None)
    _, chunk_ids = read["chunk_ids"] or reading.chunk_ids(doc_id, shown.batch_number, SHOWN_CHUNKS) or (0, [])
    found = side_by_side(
        chunks=lambda: _chunks(reading, doc_id, chunk_ids, versions, states),
        comparison=lambda: _comparison(lake, doc_id, shown, other),
        releases=lambda: _holding(lake, reading, doc_id, versions[0], read["releases"]),
    )
    return History(versions[:SHOWN_VERSIONS], shown, **found)


def _chunks(
    reading: Reading, doc_id: str, chunk_ids: list[str], versions: list[DocumentVersion], states: dict[str, BatchState]
) -> list[Chunk]:
    """The chunks in reading order, each with its newest row that no rejected batch made.

    A row is written by a batch that recorded a version of its document.
    """
    newest: dict[str, ChunkRow] = {}
    rows = reading.chunk_rows(doc_id, tuple(chunk_ids), tuple({each.batch_id for each in versions})) if chunk_ids else []
    for row in sorted(rows, key=lambda row: row.created_at):
        if not any(states.get(batch_id, BatchState()).state == REJECTED for batch_id in row.makers):
            newest[row.chunk_id] = row
    return [Chunk(index, chunk_id, newest.get(chunk_id)) for index, chunk_id in enumerate(chunk_ids)]


def _holding(lake: Lake, reading: Reading, doc_id: str, newest: DocumentVersion, releases: list[Release]) -> list[Held]:
    """The releases that hold the document, or may: of an expired state nothing is known. One led to now holds the newest version."""
    ledger = lake.table(DOCUMENT_VERSIONS)
    head = head_snapshot(ledger).snapshot_id
    led = [release for release in releases if release.state in HELD and release.versions_snapshot is not None]
    snapshots = {release.versions_snapshot for release in led if release.versions_snapshot}
    earlier = [snapshot for snapshot in snapshots - {head} if ledger.snapshot_by_id(snapshot)]
    kept = {str(snapshot): partial(reading.held_version, doc_id, snapshot) for snapshot in earlier}
    known = {str(head): None if newest.is_deleted else newest.content_hash} | (side_by_side(**kept) if kept else {})
    held = [Held(release, known.get(str(release.versions_snapshot))) for release in led]
    return [each for each in held if each.content_hash or str(each.release.versions_snapshot) not in known]


def _comparison(lake: Lake, doc_id: str, shown: DocumentVersion, other: DocumentVersion | None) -> Comparison | None:
    if other is None:
        return None
    older, newer = sorted((shown, other), key=lambda each: each.batch_number)
    texts = side_by_side(older=partial(_text, lake, doc_id, older), newer=partial(_text, lake, doc_id, newer))
    if None in texts.values():
        return Comparison(older, newer, [], "the text of one of them is no longer kept: its snapshot of the source has expired")
    lines = text_changes(texts["older"], texts["newer"])
    if lines is None:
        return Comparison(older, newer, [], "the texts are too long to be compared here")
    return Comparison(older, newer, lines, None)


def _text(lake: Lake, doc_id: str, version: DocumentVersion) -> str | None:
    """The text of the version by time travel, or as the source still holds it; empty for a deletion, None where it is gone."""
    if version.is_deleted:
        return ""
    snapshot = version.source_snapshot
    if snapshot is None:
        return None
    for holding in holding_snapshots(lake.table(SOURCE_DOCUMENTS), snapshot):
        for _, content_hash, _, _, _, text in lake.sql.rows("receipts/read_source_texts", [(doc_id,)], source_snapshot=holding):
            if content_hash == version.content_hash:
                return str(text)
    return None
