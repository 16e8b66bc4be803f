"""The changes of a planned sync in the lake, with the rows of `document_embeddings` that they name, read straight from their files."""

from collections.abc import Iterator
from itertools import chain, groupby
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.ahead import one_ahead
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import VECTOR_COLUMN, read_parts
from embedding_lakehouse.core.checksums import EMPTY, checksum, combined
from embedding_lakehouse.core.records import ROW_COLUMNS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, SYNC_CHANGES
from embedding_lakehouse.errors import ConflictError

READ_ROWS = 2_048


class PlannedRecord(NamedTuple):
    """A record that a sync writes: the file and batch of its row, and its document's title."""

    source_file: str
    chunk_id: str
    source_batch: str
    title: str | None


class EmbeddingRow(NamedTuple):
    """A planned record with its row: the columns of `ROW_COLUMNS`, and the vector as float32."""

    planned: PlannedRecord
    columns: dict[str, Any]
    vector: np.ndarray


def planned_upserts(lake: Lake, sync_id: str, shard: int) -> list[PlannedRecord]:
    """The records that a shard writes, ordered by file."""
    rows = _changes(lake, sync_id, shard, is_upsert=True).sort_by("source_file")
    return list(map(PlannedRecord._make, zip(*(rows[name].to_pylist() for name in PlannedRecord._fields), strict=True)))


def planned_deletes(lake: Lake, sync_id: str, shard: int) -> list[str]:
    """The ids of the records that a shard removes."""
    return _changes(lake, sync_id, shard, is_upsert=False)["chunk_id"].to_pylist()


def id_checksum(lake: Lake, sync_id: str) -> str:
    """The checksum of the record ids that a sync adds to the recorded state, less those that it takes from it."""
    checksums = [EMPTY]
    for rows in scan(lake.table(SYNC_CHANGES), sync_id=sync_id).to_arrow_batch_reader():
        is_added = pc.and_(rows["is_upsert"], pc.invert(rows["was_current"]))
        is_removed = pc.and_(pc.invert(rows["is_upsert"]), rows["was_current"])
        added, removed = (rows["chunk_id"].filter(chosen).to_pylist() for chosen in (is_added, is_removed))
        checksums.append(checksum(added, removed))
    return combined(*checksums)


def _changes(lake: Lake, sync_id: str, shard: int, is_upsert: bool) -> pa.Table:
    return scan(lake.table(SYNC_CHANGES), sync_id=sync_id, shard=shard, is_upsert=is_upsert).to_arrow()


def embedding_rows(lake: Lake, planned: list[PlannedRecord]) -> Iterator[EmbeddingRow]:
    """The rows of the planned records, which are ordered by file. Each file is read once, a few thousand rows at a time.

    Raises ConflictError where a file or a row is gone since the sync was planned.
    """
    return chain.from_iterable(one_ahead(_portions(lake.table(DOCUMENT_EMBEDDINGS), planned)))


def _portions(table: IcebergTable, planned: list[PlannedRecord]) -> Iterator[list[EmbeddingRow]]:
    for file, records in groupby(planned, key=lambda record: record.source_file):
        wanted = {(record.chunk_id, record.source_batch): record for record in records}
        try:
            yield from _rows_of(table, file, wanted)
        except FileNotFoundError as error:
            raise ConflictError(f"{file} was removed since the sync was planned: run sync_index again") from error
        if wanted:
            raise ConflictError(f"{file} has no row of chunk {next(iter(wanted))[0]} any more: run sync_index again")


def _rows_of(table: IcebergTable, file: str, wanted: dict[tuple[str, str], PlannedRecord]) -> Iterator[list[EmbeddingRow]]:
    """The file's rows that are wanted, each once; what was found is taken out of `wanted`."""
    condition = pc.field("chunk_id").isin([chunk_id for chunk_id, _ in wanted])
    for batch in read_parts(table, [file], [*ROW_COLUMNS, VECTOR_COLUMN], condition, READ_ROWS):
        vectors = _matrix(batch.column(VECTOR_COLUMN))
        rows = batch.select(ROW_COLUMNS).to_pylist()
        found = ((wanted.pop((row["chunk_id"], row["batch_id"]), None), row, vector) for row, vector in zip(rows, vectors, strict=True))
        yield [EmbeddingRow(record, row, vector) for record, row, vector in found if record]


def _matrix(vectors: pa.ListArray) -> np.ndarray:
    """The vectors as float32, rows x dimensions."""
    values = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return values.reshape(len(vectors), len(values) // max(1, len(vectors)))
