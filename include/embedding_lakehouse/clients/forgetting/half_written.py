"""Half-written files: what killed writers left. Nobody can read them, and what they hold of a document is in them all the same.

In a bucket an object is seen once it is complete, or it is empty. On a disk our own parts have a name of their own until they are whole;
of other writers' files a killed one leaves the beginning. Whether one is whole shows at its end: a Parquet file ends with the letters it
began with, an Avro file with the sync marker of its header, so that a manifest that lacks its last entries does not pass for a short one.
"""

import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pyiceberg.avro.decoder import StreamingBinaryDecoder
from pyiceberg.avro.file import META_SCHEMA, AvroFileHeader
from pyiceberg.avro.resolver import construct_reader
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.maintenance import references
from embedding_lakehouse.clients.parts import StoredFile, is_on_disk, read_bytes, read_end, stored_path
from embedding_lakehouse.errors import LakehouseError

UNFINISHED = ".writing"
PARQUET_MAGIC = b"PAR1"
# A writer that has added nothing for so long is dead.
SILENCE = timedelta(minutes=10)


def half_written(table: IcebergTable, stored: list[StoredFile]) -> list[StoredFile]:
    """Those of a table's files that are not whole. Raises LakehouseError, which names it, for one that a snapshot needs."""
    left = [file for file in stored if not _is_whole(table, file)]
    if others := [file for file in left if not file.location.endswith(UNFINISHED)]:
        table.refresh()
        try:
            known = references(table)
            needed = [file for file in others if stored_path(table, file.location) in known.rows | known.metadata]
        except (EOFError, ValueError, zlib.error):
            needed = [file for file in others if file.location.endswith(".avro")]
        # A writer may have finished one meanwhile.
        if damaged := next((file.location for file in needed if not _is_whole(table, file)), ""):
            raise LakehouseError(
                f"{damaged} is not whole, and a snapshot of {'.'.join(table.name())} needs it: restore the file from a backup, or roll "
                "back to a moment before it and let the later snapshots expire (maintain_tables), then run the task again"
            )
    return left


def is_given_up(file: StoredFile, since: datetime) -> bool:
    """Whether no writer will finish the file: an own part last written before `since`, when all writers were stopped, or silent for long.

    A part that is gone fails its writer. A manifest that is gone would not, so that only silence tells there.
    """
    is_before = file.location.endswith(UNFINISHED) and file.modified_at < since
    return is_before or file.modified_at < datetime.now(UTC) - SILENCE


def _is_whole(table: IcebergTable, file: StoredFile) -> bool:
    if not is_on_disk(table, file.location):
        return file.size_bytes > 0 or not file.location.endswith((".parquet", ".avro"))
    # What somebody removed meanwhile is whole or not to whoever reads it next.
    with suppress(FileNotFoundError):
        if file.location.endswith(".parquet"):
            return read_end(table, file.location, len(PARQUET_MAGIC)) == PARQUET_MAGIC
        if file.location.endswith(".avro"):
            return _is_whole_avro(read_bytes(table, file.location))
    return not file.location.endswith(UNFINISHED)


def _is_whole_avro(content: bytes) -> bool:
    # The faster decoder reads on behind the end of what is cut off.
    decoder = StreamingBinaryDecoder(content)
    try:
        header: AvroFileHeader = construct_reader(META_SCHEMA, {-1: AvroFileHeader}).read(decoder)
    except (EOFError, ValueError):
        return False
    return content.endswith(header.sync)
