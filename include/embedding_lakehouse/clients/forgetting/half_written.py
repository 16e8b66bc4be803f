"""Half-written files: what a writer has not finished, or what a killed one left. Nobody can read them.

In a bucket an object is seen once it is complete, or it is empty. On a disk our own parts have a name of their own until they are whole;
of other writers' files one sees the beginning. Whether one is whole shows at its end: a Parquet file ends with the letters it began with,
an Avro file with the sync marker of its header. A living writer may be silent for long, so that only maintenance removes such files, when
they are as old as what nothing needs.
"""

import zlib
from contextlib import suppress

from pyiceberg.avro.decoder import StreamingBinaryDecoder
from pyiceberg.avro.file import MAGIC, META_SCHEMA, AvroFileHeader
from pyiceberg.avro.resolver import construct_reader
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.maintenance import WRITING, references
from embedding_lakehouse.clients.parts import StoredFile, is_on_disk, read_bytes, read_end, stored_path
from embedding_lakehouse.errors import LakehouseError

PARQUET_MAGIC = b"PAR1"
# Both magics and the length of the footer.
LEAST_PARQUET_BYTES = 12


def half_written(table: IcebergTable, stored: list[StoredFile]) -> list[StoredFile]:
    """Those of a table's files that are not whole. Raises LakehouseError, which names it, for one that a snapshot needs."""
    left = [file for file in stored if not _is_whole(table, file)]
    others = [file for file in left if not file.location.endswith(WRITING)]
    # A writer may have finished one meanwhile.
    if damaged := [file.location for file in _needed(table, others) if not _is_whole(table, file)]:
        raise LakehouseError(
            f"{' or '.join(damaged)} is not whole, and a snapshot of {'.'.join(table.name())} needs it: restore it from a backup of the "
            "storage, then run the task again"
        )
    return left


def _needed(table: IcebergTable, files: list[StoredFile]) -> list[StoredFile]:
    """Those of the files that a snapshot of the table needs; where that cannot be read, the manifests that may be the reason."""
    if not files:
        return []
    table.refresh()
    try:
        known = references(table)
    except (EOFError, ValueError, zlib.error):
        if manifests := [file for file in files if file.location.endswith(".avro")]:
            return manifests
        raise
    return [file for file in files if stored_path(table, file.location) in known.rows | known.metadata]


def _is_whole(table: IcebergTable, file: StoredFile) -> bool:
    if not is_on_disk(table, file.location):
        return file.size_bytes > 0 or not file.location.endswith((".parquet", ".avro"))
    if file.location.endswith(WRITING):
        return False
    # Whoever reads a file that somebody removed meanwhile will see that it is gone.
    with suppress(FileNotFoundError):
        if file.location.endswith(".parquet"):
            end = read_end(table, file.location, LEAST_PARQUET_BYTES)
            return len(end) == LEAST_PARQUET_BYTES and end.endswith(PARQUET_MAGIC)
        if file.location.endswith(".avro"):
            return _is_whole_avro(read_bytes(table, file.location))
    return True


def _is_whole_avro(content: bytes) -> bool:
    # The faster decoder reads on behind the end of what is cut off.
    decoder = StreamingBinaryDecoder(content)
    try:
        header: AvroFileHeader = construct_reader(META_SCHEMA, {-1: AvroFileHeader}).read(decoder)
    except (EOFError, ValueError):
        return False
    return header.magic == MAGIC and content.endswith(header.sync)
