"""Staged Parquet files: never seen half, never overwritten, found again by their folder.

On a disk a file is written under a temporary name and renamed. In a bucket an object is seen once it is complete; there is no renaming,
and closing a stream completes the object with what was written until then, also where an error closes it.
Vectors are byte-stream-split and compressed lightly, without dictionaries: twice as fast as PyIceberg's own writer and smaller.
"""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import arrow_schema
from embedding_lakehouse.errors import ConfigurationError, LakehouseError

VECTOR_COLUMN = "embedding"


class StoredFile(NamedTuple):
    """A file under a table's location, whatever wrote it."""

    location: str
    size_bytes: int
    modified_at: datetime


def parts_folder(table: IcebergTable, *keys: str) -> str:
    """The folder for staged parts of a table, inside its own location, where its maintenance finds leftovers."""
    return "/".join((table.location().rstrip("/"), "data", *keys))


def write_part(
    table: IcebergTable, folder: str, rows: pa.Table, row_group_rows: int | None = None, metadata: dict[str, str] | None = None
) -> str:
    """Write rows as one new Parquet file with the table's field ids into `folder`; its location. `metadata` goes into the file's own.

    Raises LakehouseError where the file system refuses it (a full disk, no permission); nothing of the part is left then.
    """
    schema = arrow_schema(table)
    rows = pa.Table.from_arrays([_column(rows, field) for field in schema], schema=schema.with_metadata(metadata))
    name = f"{folder}/{uuid.uuid4().hex}.parquet"
    filesystem, path = _filesystem(table, name)
    try:
        if isinstance(filesystem, LocalFileSystem):
            _write_file(filesystem, path, rows, row_group_rows)
        else:
            _put_object(filesystem, path, _encoded(rows, row_group_rows))
    except OSError as error:
        raise LakehouseError(
            f"could not write {name}: {error}. What was staged before is kept: mend what the message says (room, permissions, network) "
            "and run the task again"
        ) from error
    return name


def _write_file(filesystem: LocalFileSystem, path: str, rows: pa.Table, row_group_rows: int | None) -> None:
    filesystem.create_dir(path.rpartition("/")[0], recursive=True)
    temporary = f"{path}.writing"
    try:
        with filesystem.open_output_stream(temporary) as sink:
            _write(sink, rows, row_group_rows)
        filesystem.move(temporary, path)
    except OSError:
        # A full disk is not to stay full of what nobody will read.
        Path(temporary).unlink(missing_ok=True)
        raise


def _put_object(filesystem: FileSystem, path: str, content: pa.Buffer) -> None:
    """In one call, so that a failed upload is never completed. Above 10 MB it is a multipart upload.

    A signal just before that call still completes an empty object, which readers pass over.
    """
    with filesystem.open_output_stream(path) as sink:
        sink.write(content)


def _encoded(rows: pa.Table, row_group_rows: int | None) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    _write(sink, rows, row_group_rows)
    return sink.getvalue()


def _column(rows: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if field.name not in rows.column_names:
        return pa.nulls(rows.num_rows, field.type)
    return rows[field.name].cast(field.type)


def _write(sink: pa.NativeFile, rows: pa.Table, row_group_rows: int | None) -> None:
    has_vectors = VECTOR_COLUMN in rows.column_names
    dictionary = [name for name in ("model_name", "model_version", "profile", "batch_id", "chunking_strategy") if name in rows.column_names]
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=dictionary,
        use_byte_stream_split=[f"{VECTOR_COLUMN}.list.element"] if has_vectors else False,
        row_group_size=row_group_rows,
    )


def list_parts(table: IcebergTable, folder: str) -> list[str]:
    """Locations of the finished parts anywhere under `folder`, by name; none where the folder does not exist."""
    filesystem, path = _filesystem(table, folder)
    prefix = folder[: len(folder) - len(path)]
    found = filesystem.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    return sorted(f"{prefix}{file.path}" for file in found if file.size and file.path.endswith(".parquet"))


def read_parts(
    table: IcebergTable, files: list[str], columns: list[str], condition: ds.Expression | None = None, batch_rows: int = 8_192
) -> Iterator[pa.RecordBatch]:
    """The wanted columns of the files' rows that meet the condition, in batches of at most `batch_rows` rows."""
    for file in files:
        filesystem, path = _filesystem(table, file)
        dataset = ds.dataset(path, format="parquet", filesystem=filesystem)
        yield from dataset.to_batches(columns=columns, filter=condition, batch_size=batch_rows, use_threads=False)


def parquet_of(table: IcebergTable, file: str) -> ds.Dataset:
    """A Parquet file as it lies there, whatever its columns. Raises pyarrow.ArrowInvalid for one that is not whole."""
    filesystem, path = _filesystem(table, file)
    return ds.dataset(path, format="parquet", filesystem=filesystem)


def read_bytes(table: IcebergTable, file: str) -> bytes:
    """The content of a file."""
    filesystem, path = _filesystem(table, file)
    with filesystem.open_input_stream(path, compression=None) as source:
        return source.read()


def is_on_disk(table: IcebergTable, file: str) -> bool:
    """Whether the file lies on a disk, where others may see it half-written, and not in a bucket."""
    return isinstance(_filesystem(table, file)[0], LocalFileSystem)


def read_end(table: IcebergTable, file: str, size_bytes: int) -> bytes:
    """The last bytes of a file, all of a shorter one."""
    filesystem, path = _filesystem(table, file)
    with filesystem.open_input_file(path) as source:
        source.seek(max(0, source.size() - size_bytes))
        return source.read()


def write_note(table: IcebergTable, location: str, note: str) -> None:
    """Write a small text as a file, whole or not at all, by the table's own access; one of the same name is replaced."""
    filesystem, path = _filesystem(table, location)
    if not isinstance(filesystem, LocalFileSystem):
        _put_object(filesystem, path, pa.py_buffer(note.encode()))
        return
    filesystem.create_dir(path.rpartition("/")[0], recursive=True)
    written = f"{path}.{uuid.uuid4().hex}"
    with filesystem.open_output_stream(written) as sink:
        sink.write(note.encode())
    filesystem.move(written, path)


def read_notes(table: IcebergTable, folder: str, ending: str) -> dict[str, str]:
    """The notes right in a folder whose names end so, by what is before that ending."""
    filesystem, path = _filesystem(table, folder)
    found = filesystem.get_file_info(FileSelector(path, allow_not_found=True))
    notes: dict[str, str] = {}
    for file in found:
        if file.size and file.path.endswith(ending):
            with filesystem.open_input_stream(file.path) as source:
                notes[file.base_name.removesuffix(ending)] = source.read().decode()
    return notes


def read_metadata(table: IcebergTable, file: str) -> dict[str, str]:
    """The key-value metadata of a part, from its footer alone."""
    filesystem, path = _filesystem(table, file)
    with filesystem.open_input_file(path) as source:
        return {key.decode(): value.decode() for key, value in (pq.read_metadata(source).metadata or {}).items()}


def _filesystem(table: IcebergTable, location: str) -> tuple[FileSystem, str]:
    if not isinstance(table.io, PyArrowFileIO):
        raise ConfigurationError(
            f"{'.'.join(table.name())} is read through {type(table.io).__name__}: set the extra "
            '"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO" in the connection iceberg_default'
        )
    scheme, netloc, path = PyArrowFileIO.parse_location(location, table.io.properties)
    return table.io.fs_by_scheme(scheme, netloc), path


def delete_folder(table: IcebergTable, folder: str) -> None:
    """Remove a folder with everything in it, by the table's own access to it; one that is not there is removed already."""
    filesystem, path = _filesystem(table, folder)
    if filesystem.get_file_info(path).type == FileType.Directory:
        filesystem.delete_dir(path)


def stored_files(table: IcebergTable, folder: str) -> list[StoredFile]:
    """Every file anywhere under `folder`, temporary ones too; none where the folder does not exist."""
    filesystem, path = _filesystem(table, folder)
    prefix = folder[: len(folder) - len(path)]
    found = filesystem.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    return [StoredFile(f"{prefix}{file.path}", file.size, file.mtime) for file in found if file.type == FileType.File]


def stored_path(table: IcebergTable, location: str) -> str:
    """What tells the file apart in its file system, however its scheme is written: `file:/a` and `file:///a`, `s3://b/a` and `s3a://b/a`."""
    return _filesystem(table, location)[1].replace("//", "/")


def remove_file(table: IcebergTable, location: str) -> None:
    """Remove a file; one that is not there is removed already."""
    filesystem, path = _filesystem(table, location)
    with suppress(FileNotFoundError):
        filesystem.delete_file(path)
