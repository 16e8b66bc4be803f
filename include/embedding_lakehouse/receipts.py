"""Explain records of the index: the document version behind each, its exact text, how the vector was made, and what became of both."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Any, TypeGuard, TypeVar

from embedding_lakehouse import settings
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.side_by_side import side_by_side
from embedding_lakehouse.clients.snapshots import kept_snapshot, led_snapshot, made_in_order, snapshot_time
from embedding_lakehouse.clients.source_history import holding_snapshots
from embedding_lakehouse.core.batches import REJECTED, BatchRow
from embedding_lakehouse.core.documents import LONGEST_ID
from embedding_lakehouse.core.receipts import RECORD_ID, CurrentVersion, HoldingRelease, Receipt, current_version, receipt_of, version_of
from embedding_lakehouse.core.record_rows import (
    EmbeddingRow,
    SourceText,
    SourceVersion,
    VersionRow,
    WrittenRow,
    chosen_row,
    embedding_row,
    rejected_at,
    unknown_because,
)
from embedding_lakehouse.core.releases import HELD, LIVE, ReleaseRow
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, EMBEDDING_BATCHES, INDEX_RELEASES, SOURCE_DOCUMENTS, Table
from embedding_lakehouse.core.texts import is_writable
from embedding_lakehouse.errors import InputError, quoted

MOST_IDS = 1_000
# Of what a statement may have, the rest is its text; beside a doc_id of up to 2,000 characters a record has a chunk_id and a batch_id.
SHARE_OF_IDS = 0.9
OTHER_CHARACTERS = 150
# Documents that so many batches touched are looked up like unknown ones: beside 1,000 records they would not fit into Athena's statement.
MOST_WRITERS = 3_000

Item = TypeVar("Item")
Versions = dict[tuple[str, str], CurrentVersion]
Batches = Mapping[str, BatchRow]


@dataclass(frozen=True, slots=True)
class Explained:
    """The receipts in the order of the ids asked for, and for each id without one the reason."""

    receipts: list[Receipt]
    unknown: dict[str, str]


def explain(
    ids: Iterable[str],
    profile_name: str | None = None,
    at: datetime | None = None,
    lake: Lake | None = None,
    documents: Mapping[str, str] | None = None,
) -> Explained:
    """What stands behind records, by their ids; with `at`, what stood behind an answer that was given then.

    A record has one row under each profile that embedded its document: `profile_name` chooses, otherwise it is the default profile's,
    where it has one. `documents` has the `doc_id` of the ids where it is known, as a match has it: however large the lake is, only the
    files of the batches that embedded that document are opened for them. Raises InputError for no id, more than 1,000, or an `at` without a
    time zone.
    """
    wanted = _checked(ids, at)
    lake = lake or connect()
    batches = {row["batch_id"]: row for row in _journal_rows(lake, EMBEDDING_BATCHES, None) or []}
    rows = _rows(lake, wanted, documents or {}, batches)
    default = profile_name or settings.default_profile()
    chosen = {record_id: row for record_id in wanted if (row := chosen_row(rows[record_id], profile_name, default, at))}
    unknown = {record_id: unknown_because(rows[record_id], profile_name, at) for record_id in wanted if record_id not in chosen}
    return Explained(_receipts(lake, list(chosen.values()), at, batches), unknown)


def _checked(ids: Iterable[str], at: datetime | None) -> list[str]:
    wanted = list(dict.fromkeys(ids))
    if strange := [each for each in wanted if not isinstance(each, str)]:
        raise InputError(f"the record id {quoted(strange[0])} is no text")
    if not 1 <= len(wanted) <= MOST_IDS:
        raise InputError(f"{len(wanted):,} record ids were given, must be from 1 to {MOST_IDS:,}")
    if at is not None and at.tzinfo is None:
        raise InputError(f"the time {at.isoformat()} has no time zone: write {at.isoformat()}+00:00 for UTC")
    return wanted


def _rows(lake: Lake, ids: list[str], documents: Mapping[str, str], batches: Batches) -> dict[str, list[EmbeddingRow]]:
    """Every row of the records. What does not look like an id of ours is that of a foreign record, and has none."""
    found: dict[str, list[EmbeddingRow]] = defaultdict(list)
    if ours := [record_id for record_id in ids if RECORD_ID.fullmatch(record_id)]:
        written = _written(lake, ours, documents)
        recorded = _recorded_times(lake, [row for row in written if not batches.get(row.batch_id, {}).get("published_at")])
        for row in written:
            found[row.chunk_id].append(embedding_row(row, batches, recorded.get((row.doc_id, row.batch_id))))
    return found


def _written(lake: Lake, ids: list[str], documents: Mapping[str, str]) -> list[WrittenRow]:
    """The records' rows as they were written: first those that the batches of their documents can have, then, in every file, the rest."""
    known = {record_id: doc_id for record_id in ids if _is_doc_id(doc_id := documents.get(record_id))}
    parts = _slices(lake, sorted(set(known.values())), str)
    writers = {batch_id for part in parts for (batch_id,) in lake.sql.rows("receipts/list_writers", [tuple(part)])}
    rows: list[WrittenRow] = []
    if 0 < len(writers) <= MOST_WRITERS:
        found = map(WrittenRow._make, lake.sql.rows("receipts/read_rows_of_batches", [tuple(known), tuple(sorted(writers))]))
        # Who named another document than the record's is answered all the same.
        rows = [row for row in found if row.doc_id == known[row.chunk_id]]
    rest = tuple(set(ids) - {row.chunk_id for row in rows})
    return rows + [WrittenRow._make(row) for row in (lake.sql.rows("receipts/read_rows", [rest]) if rest else [])]


def _is_doc_id(doc_id: object) -> TypeGuard[str]:
    """Whether a document may be called so: what is told of a record may come from anywhere."""
    return isinstance(doc_id, str) and 0 < len(doc_id) <= LONGEST_ID and is_writable(doc_id)


def _recorded_times(lake: Lake, rows: list[WrittenRow]) -> dict[tuple[str, str], datetime]:
    """When the rows' batches recorded their documents, by document and batch."""
    found = {}
    for part in _slices(lake, rows, attrgetter("doc_id")):
        binds = [tuple({row.doc_id for row in part}), tuple({row.batch_id for row in part})]
        for doc_id, batch_id, recorded_at in lake.sql.rows("receipts/read_recorded_times", binds):
            found[doc_id, batch_id] = recorded_at
    return found


def _receipts(lake: Lake, rows: list[EmbeddingRow], at: datetime | None, batches: Batches) -> list[Receipt]:
    if not rows:
        return []
    head = head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id
    releases, remark = _releases(lake, at)
    # At a past time what was current then is not what the state of now holds.
    led, known = _led_to(lake, rows, releases), set[int]() if at else {head}
    read = side_by_side(
        texts=lambda: _source_texts(lake, rows, batches),
        now=lambda: _source_versions(lake, rows),
        current=lambda: _versions(lake, rows, head, partial(_is_published, batches, at)),
        **{str(snapshot): partial(_versions, lake, rows, snapshot) for snapshot in {*led.values()} - known},
    )
    (texts, snapshot_times), now, current = read["texts"], read["now"], read["current"]
    states = {named: current if snapshot in known else read[str(snapshot)] for named, snapshot in led.items()}
    receipts = []
    for row in rows:
        source, source_now = texts.get((row.source_snapshot, row.doc_id, row.content_hash)), now.get(row.doc_id)
        version = version_of(row, source, snapshot_times.get(row.source_snapshot), source_now)
        remarks = [text for text in (_rejection(row), version.problem, remark) if text]
        holding = _holding(row, releases, states, current)
        receipts.append(receipt_of(row, version, current.get((row.profile, row.chunk_id)), holding, source_now, remarks))
    return receipts


def _rejection(row: EmbeddingRow) -> str | None:
    rejected = rejected_at(row)
    if rejected is None:
        return None
    is_own = row.state == REJECTED
    batch, reason = (row.batch_id, row.message) if is_own else (row.copied_from_batch, None)
    said = f" ({reason})" if reason else ""
    return f"the batch {batch} was rejected on {rejected:%Y-%m-%d %H:%M:%S %Z}{said}, so this vector answers no question since"


def _source_texts(
    lake: Lake, rows: list[EmbeddingRow], batches: Batches
) -> tuple[dict[tuple[int, str, str], SourceText], dict[int, datetime]]:
    """The rows' versions by source snapshot, document and hash, and when those snapshots were made.

    An expired snapshot has no time; a version of it is found where a later snapshot holds the same text.
    """
    table = lake.table(SOURCE_DOCUMENTS)
    texts: dict[tuple[int, str, str], SourceText] = {}
    times = {}
    documents: dict[int, set[str]] = defaultdict(set)
    numbers: dict[int, int | None] = {}
    for row in rows:
        documents[row.source_snapshot].add(row.doc_id)
        numbers[row.source_snapshot] = batches.get(row.batch_id, {}).get("source_sequence_number")
    for source_snapshot, doc_ids in documents.items():
        if snapshot := kept_snapshot(table, source_snapshot):
            times[source_snapshot] = datetime.fromtimestamp(snapshot_time(snapshot) / 1000, UTC)
        for holding in holding_snapshots(table, source_snapshot, numbers[source_snapshot]):
            for part in _slices(lake, sorted(doc_ids), str):
                for values in lake.sql.rows("receipts/read_source_texts", [tuple(part)], source_snapshot=holding):
                    source = SourceText._make(values)
                    texts.setdefault((source_snapshot, source.doc_id, source.content_hash), source)
    return texts, times


def _source_versions(lake: Lake, rows: list[EmbeddingRow]) -> dict[str, SourceVersion]:
    """The rows' documents in the source of now; of two source rows of a document the greater hash counts."""
    parts = _slices(lake, sorted({row.doc_id for row in rows}), str)
    found = [SourceVersion._make(values) for part in parts for values in lake.sql.rows("receipts/read_source_versions", [tuple(part)])]
    return {version.doc_id: version for version in sorted(found, key=attrgetter("content_hash"))}


def _versions(
    lake: Lake, rows: list[EmbeddingRow], versions_snapshot: int, counts: Callable[[VersionRow], bool] = lambda version: True
) -> Versions:
    """The current version of each row's document in a state of the ledger, by profile and record, among the versions that count."""
    known: dict[tuple[str, str], list[VersionRow]] = defaultdict(list)
    for part in _slices(lake, rows, attrgetter("doc_id")):
        binds = [",".join(row.chunk_id for row in part), tuple({row.doc_id for row in part})]
        for version in map(VersionRow._make, lake.sql.rows("receipts/read_versions", binds, versions_snapshot=versions_snapshot)):
            if counts(version):
                known[version.profile, version.doc_id].append(version)
    found = {(row.profile, row.chunk_id): current_version(known[row.profile, row.doc_id], row) for row in rows}
    return {key: version for key, version in found.items() if version}


def _is_published(batches: Batches, at: datetime | None, version: VersionRow) -> bool:
    """Whether the version was current by then, or ever."""
    published_at = batches.get(version.batch_id, {}).get("published_at") or version.recorded_at
    return at is None or published_at is None or published_at <= at


def _releases(lake: Lake, at: datetime | None) -> tuple[list[ReleaseRow], str | None]:
    """The releases that hold records, now or at a time, and what has to be said where that is not known any more."""
    rows = _journal_rows(lake, INDEX_RELEASES, at)
    if rows is None:
        return [], f"the history of {INDEX_RELEASES.name} does not reach back to {at}: which release was live then is not known"
    return [row for row in rows if row["state"] in HELD and row["versions_snapshot"] is not None], None


def _journal_rows(lake: Lake, journal: Table, at: datetime | None) -> list[dict[str, Any]] | None:
    """The rows of a journal, now or as they were at a time; None where its history does not reach back so far."""
    table = lake.table(journal)
    if at is None:
        return table.scan().to_arrow().to_pylist()
    moment = int(at.timestamp() * 1000)
    # Maintenance keeps the snapshots by which something changed that is told here, and not those between.
    for snapshot in sorted(table.snapshots(), key=made_in_order, reverse=True):
        # A journal is put back whole: what its delete leaves was never the state of it.
        if snapshot_time(snapshot) <= moment and snapshot.summary and snapshot.summary.operation.value != "delete":
            return table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().to_pylist()
    return None


def _led_to(lake: Lake, rows: list[EmbeddingRow], releases: list[ReleaseRow]) -> dict[int, int]:
    """The snapshots of the ledger that releases of the rows' profiles were led to, and those that have their states now.

    An erasure put others in the place of some; what has expired is left out.
    """
    ledger, profiles = lake.table(DOCUMENT_VERSIONS), {row.profile for row in rows}
    led = {release["versions_snapshot"] for release in releases if release["profile"] in profiles}
    return {snapshot: kept.snapshot_id for snapshot in led if (kept := led_snapshot(ledger, snapshot))}


def _holding(row: EmbeddingRow, releases: list[ReleaseRow], states: dict[int, Versions], current: Versions) -> Iterator[HoldingRelease]:
    """The releases that held the row, the live one first."""
    for release in sorted(releases, key=lambda release: (release["state"] != LIVE, release["release_id"])):
        snapshot = release["versions_snapshot"]
        version = states.get(snapshot, current).get((row.profile, row.chunk_id))
        if release["profile"] == row.profile and version and version.has_passage:
            release_id, namespace, state = (release[name] for name in ("release_id", "namespace", "state"))
            yield HoldingRelease(release_id, namespace, state, version.content_hash, snapshot in states)


def _slices(lake: Lake, items: list[Item], doc_id: Callable[[Item], str]) -> Iterator[list[Item]]:
    """The items in parts whose ids fit into one statement of the engine."""
    part, size, most = list[Item](), 0, lake.sql.longest * SHARE_OF_IDS
    for item in items:
        # A quote takes two characters in SQL.
        own = 2 * len(doc_id(item).encode()) + OTHER_CHARACTERS
        if part and size + own > most:
            yield part
            part, size = [], 0
        part.append(item)
        size += own
    if part:
        yield part
