"""Files for a bulk import: Parquet of ids, values and metadata under `<folder>/<namespace>/`, as the service wants them."""

from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import StoredFile, delete_folder, stored_files
from embedding_lakehouse.clients.sync_changes import EmbeddingRow
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.records import metadata
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS

FOLDER = "index_imports"
SCHEMA = pa.schema([("id", pa.string()), ("values", pa.list_(pa.float32())), ("metadata", pa.string())])
GROUP_ROWS = 2_048
# With vectors of 4,096 dimensions 2 GB; the service takes files of up to 10 GB.
FILE_GROUPS = 50


def staging_folder(lake: Lake, uri: str) -> str:
    """Where the imports' files are put: the given folder, or one beside the tables' own data."""
    return uri.rstrip("/") or f"{lake.table(DOCUMENT_EMBEDDINGS).location().rstrip('/')}/{FOLDER}"


def import_uri(folder: str, sync: Sync) -> str:
    """The folder of one rebuild's files. Its name is used once, so that an import is found again by it."""
    return f"{folder}/{sync.release_id}-{sync.sync_id}"


def export_records(lake: Lake, uri: str, sync: Sync, shard: int, profile: Profile, rows: Iterator[EmbeddingRow]) -> dict[str, Any]:
    """Write the shard's records as files of bounded size: how many records, files and bytes. Written again, they are the same files."""
    table = lake.table(DOCUMENT_EMBEDDINGS)
    records = files = size = 0
    groups = _groups(profile, rows)
    while first := next(groups, None):
        name = _file(uri, sync, shard, files)
        records += _write(table, name, first, islice(groups, FILE_GROUPS - 1))
        files, size = files + 1, size + len(table.io.new_input(name))
    return {"records": records, "requests": files, "bytes": size, "lsn": None}


def is_exported(lake: Lake, uri: str, sync: Sync, shard: int) -> bool:
    """Whether the shard has files there."""
    return lake.table(DOCUMENT_EMBEDDINGS).io.new_input(_file(uri, sync, shard, 0)).exists()


def remove_exported(lake: Lake, uri: str) -> None:
    """Remove what was exported for one rebuild."""
    delete_folder(lake.table(DOCUMENT_EMBEDDINGS), uri)


def unneeded_exports(lake: Lake, needed_syncs: Collection[str], before: datetime) -> list[StoredFile]:
    """The files beside the tables' own data, last written before a moment, that rebuilds left which no needed sync belongs to."""
    found = stored_files(lake.table(DOCUMENT_EMBEDDINGS), staging_folder(lake, ""))
    return [file for file in found if file.modified_at < before and not any(sync_id in file.location for sync_id in needed_syncs)]


def _file(uri: str, sync: Sync, shard: int, number: int) -> str:
    return f"{uri}/{sync.namespace}/{shard:03}-{number:04}.parquet"


def _write(table: IcebergTable, name: str, first: pa.RecordBatch, others: Iterator[pa.RecordBatch]) -> int:
    rows = first.num_rows
    with table.io.new_output(name).create(overwrite=True) as sink, pq.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        writer.write_batch(first)
        for batch in others:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _groups(profile: Profile, rows: Iterator[EmbeddingRow]) -> Iterator[pa.RecordBatch]:
    while taken := list(islice(rows, GROUP_ROWS)):
        receipts = [metadata(row.columns, row.planned.title, profile.index.include_text) for row in taken]
        columns = [
            [row.planned.chunk_id for row in taken],
            [row.vector for row in taken],
            [orjson.dumps(receipt).decode() for receipt in receipts],
        ]
        yield pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )
