"""Compare the index with the record: the content of each expected record, and the ids of every record that the index lists."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from embedding_lakehouse import settings
from embedding_lakehouse.clients.index_findings import FindingsWriter
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, VectorIndex, service_from_connection
from embedding_lakehouse.clients.reconciliations import Reconciliations
from embedding_lakehouse.clients.record_differences import record_difference
from embedding_lakehouse.clients.sync_changes import EmbeddingRow, embedding_rows, planned_upserts
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.reconciliation import (
    MISSING,
    ORPHANED,
    OUR_PREFIXES,
    SETTLE_SECONDS,
    Comparison,
    Difference,
    Figures,
)
from embedding_lakehouse.errors import ConfigurationError, LakehouseError

# Rows that are in memory at once, with their vectors and those of their records.
COMPARED_AT_ONCE = 500
NOT_LISTED = Difference(MISSING, "is not listed")
FOREIGN = Difference(ORPHANED, "is not part of the record")

Found = TypeVar("Found")


def compare_part(
    part: dict[str, Any], lake: Lake | None = None, service: IndexService | None = None, settle: float = SETTLE_SECONDS
) -> Figures:
    """Compare a shard's records with their rows, or a group of ids with the expected ones: figures, and the files of the findings.

    A listing that cannot be read to its end says so: what it found by then is kept, and what it lacks is not said to be missing.
    """
    lake, compared = lake or connect(), Comparison.of_keys(part["comparison"])
    index = (service or service_from_connection()).open(compared.expected.index)
    compare = _compare_records if "shard" in part else _compare_ids
    writer = FindingsWriter(lake, compared.reconciliation_id)
    figures = compare(writer, compared, part, index, compared.settled_at(settle))
    return figures | {"files": writer.finish(), "findings": writer.count}


def _compare_records(writer: FindingsWriter, compared: Comparison, part: dict[str, Any], index: VectorIndex, settled: datetime) -> Figures:
    planned = planned_upserts(writer.lake, compared.reconciliation_id, part["shard"])
    profile, count = settings.profile(compared.expected.profile), 0
    fetched = embedding_rows(writer.lake, [record for record in planned if compared.includes(record.chunk_id)])
    for rows in _groups(fetched):
        look = partial(_differing, index, compared.expected.namespace, profile, rows)
        differing = _settled(look, settled)
        count += len(rows) - sum(differs.finding == MISSING for _, differs in differing)
        for row, differs in differing:
            # What a sample lacks is among what the listing lacks.
            if not (compared.is_sample and differs.finding == MISSING):
                writer.add(row.planned.chunk_id, differs, **_place(row))
    return {"expected": len(planned), "compared": count}


def _compare_ids(writer: FindingsWriter, compared: Comparison, part: dict[str, Any], index: VectorIndex, settled: datetime) -> Figures:
    prefixes, records = part["ids"], Reconciliations(writer.lake)
    expected = _expected_ids(records, compared, prefixes)
    listing = _settled(lambda: _listed(index, compared.expected.namespace, prefixes, expected), settled)
    for record_id in listing.orphaned:
        writer.add(record_id, FOREIGN)
    if compared.is_sample and not listing.message:
        for row in _rows(records, compared, prefixes, listing.missing):
            writer.add(row.pop("chunk_id"), NOT_LISTED, **row)
    return {"expected": len(expected), "listed": listing.count, "id_checksum": checksum(expected), "message": listing.message}


@dataclass
class _Listing:
    """What was listed: how many ids, those that nobody expected, those expected that were not among them, and why it ended early."""

    missing: set[str]
    orphaned: list[str] = field(default_factory=list)
    count: int = 0
    message: str = ""

    def __bool__(self) -> bool:
        return bool(self.orphaned or self.missing)


def _listed(index: VectorIndex, namespace: str, prefixes: str, expected: set[str]) -> _Listing:
    listing = _Listing(set(expected))
    try:
        for prefix in prefixes:
            for record_id in index.list_ids(namespace, prefix):
                listing.count += 1
                if record_id in listing.missing:
                    listing.missing.remove(record_id)
                else:
                    listing.orphaned.append(record_id)
    except ConfigurationError:
        raise
    except LakehouseError as error:
        listing.message = f"the ids that begin with {prefix!r} were not listed to their end: {error}"
    return listing


def _differing(index: VectorIndex, namespace: str, profile: Profile, rows: list[EmbeddingRow]) -> list[tuple[EmbeddingRow, Difference]]:
    found = index.fetch(namespace, [row.planned.chunk_id for row in rows])
    each = ((row, record_difference(row, found.get(row.planned.chunk_id), profile, title_may_be_gone=True)) for row in rows)
    return [(row, differs) for row, differs in each if differs]


def _place(row: EmbeddingRow) -> dict[str, Any]:
    planned = row.planned
    return {
        "doc_id": row.columns["doc_id"],
        "source_batch": planned.source_batch,
        "source_file": planned.source_file,
        "title": planned.title,
    }


def _expected_ids(records: Reconciliations, compared: Comparison, prefixes: str) -> set[str]:
    batches = _expected(records, compared, prefixes, ("chunk_id",))
    return {record_id for batch in batches for record_id in batch["chunk_id"].to_pylist()}


def _rows(records: Reconciliations, compared: Comparison, prefixes: str, wanted: set[str]) -> Iterator[dict[str, Any]]:
    """What is planned for some of the expected records."""
    values = pa.array(sorted(wanted), pa.string())
    for batch in _expected(records, compared, prefixes) if wanted else ():
        yield from batch.filter(pc.is_in(batch["chunk_id"], value_set=values)).to_pylist()


def _expected(records: Reconciliations, compared: Comparison, prefixes: str, *columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """The expected records of a group of first characters: ours in it are always neighbours."""
    ours = [prefix for prefix in prefixes if prefix in OUR_PREFIXES]
    return records.expected(compared.reconciliation_id, (ours[0], ours[-1]), *columns) if ours else iter(())


def _groups(rows: Iterator[EmbeddingRow]) -> Iterator[list[EmbeddingRow]]:
    while group := list(islice(rows, COMPARED_AT_ONCE)):
        yield group


def _settled(look: Callable[[], Found], until: datetime) -> Found:
    """What a look finds; where it found something before writes of before the comparison must be visible, a second look after that."""
    waiting = (until - datetime.now(UTC)).total_seconds()
    found = look()
    if found and waiting > 0:
        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
        found = look()
    return found
