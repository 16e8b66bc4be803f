"""Where documents are held: every file below a table's location, read as it lies there, whatever snapshot it belongs to, or none."""

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.avro.file import AvroFile
from pyiceberg.expressions import BooleanExpression, In
from pyiceberg.manifest import DataFile, DataFileContent, ManifestContent, ManifestFile
from pyiceberg.table import Table as IcebergTable
from pyiceberg.typedef import Record

from embedding_lakehouse.clients.forgetting.half_written import half_written
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parquet_of, read_bytes, stored_files, stored_path
from embedding_lakehouse.core.forgetting import CHUNK_KEYS, DOCUMENT_KEYS, PLACE_KEYS, SAID, Forgotten, pieces_of
from embedding_lakehouse.core.ingest_tables import SOURCE_FILES
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS

READ_ROWS = 8_192
TEXTS = ("document_text", "chunk_text", "title")
LOOKED_AT = {*DOCUMENT_KEYS, *CHUNK_KEYS, *PLACE_KEYS, *SAID}
WORK_FOLDER = "erasures_at_work"


def files_of(table: IcebergTable) -> list[str]:
    """Every whole file below the table's location, but for the notes of erasures at work. Raises LakehouseError as `half_written` does."""
    return listed(table)[0]


def listed(table: IcebergTable) -> tuple[list[str], int]:
    """The files as `files_of` has them, and how many others are half-written."""
    found = stored_files(table, table.location().rstrip("/"))
    unfinished = {file.location for file in half_written(table, found)}
    locations = {file.location for file in found} - unfinished
    return sorted(file for file in locations if f"/{WORK_FOLDER}/" not in file), len(unfinished)


def look_through(lake: Lake, doc_ids: frozenset[str]) -> tuple[Forgotten, dict[str, set[str]]]:
    """Read every data file of the lake for these documents: what they are known by, and the content hashes of each one's versions."""
    chunks, pieces, text_hashes = set[str](), set[int](), set[str]()
    contents = {doc_id: set[str]() for doc_id in doc_ids}
    for declared in ALL_TABLES:
        table = lake.table(declared)
        for row in chain.from_iterable(_rows_of(table, file, doc_ids) for file in files_of(table)):
            chunks.update(name for key in CHUNK_KEYS if (name := row.get(key)))
            chunks.update(row.get("chunk_ids") or ())
            pieces.update(piece for name in TEXTS if row.get(name) for piece in pieces_of(row[name]))
            if text_hash := row.get("text_hash"):
                text_hashes.add(text_hash)
            if content := row.get("content_hash"):
                contents[row["doc_id"]].add(content)
    forgotten = Forgotten(doc_ids, frozenset(chunks), _places(lake, doc_ids), frozenset(pieces), frozenset(text_hashes))
    return forgotten, _own_contents(lake, contents)


def _rows_of(table: IcebergTable, file: str, doc_ids: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The file's rows of the documents, without their vectors."""
    if not file.endswith(".parquet"):
        return
    dataset = parquet_of(table, file)
    if "doc_id" not in dataset.schema.names:
        return
    wanted = {"doc_id", *CHUNK_KEYS, "chunk_ids", "content_hash", "text_hash", *TEXTS}
    columns = [name for name in dataset.schema.names if name in wanted]
    condition = pc.field("doc_id").isin(pa.array(sorted(doc_ids), dataset.schema.field("doc_id").type))
    for batch in dataset.to_batches(columns=columns, filter=condition, batch_size=READ_ROWS, use_threads=False):
        yield from batch.to_pylist()


def _places(lake: Lake, doc_ids: frozenset[str]) -> frozenset[str]:
    """The files that have no other document than these, as places of the source and as paths in it."""
    source = lake.table(SOURCE_DOCUMENTS)
    places = {uri for (uri,) in _columns(source, In("doc_id", set(doc_ids)), "source_uri") if uri}
    if not places:
        return frozenset()
    shared = {uri for uri, doc_id in _columns(source, In("source_uri", places), "source_uri", "doc_id") if doc_id not in doc_ids}
    own = places - shared
    paths = {path for (path,) in _columns(lake.table(SOURCE_FILES), In("source_uri", own), "path")} if own else set[str]()
    return frozenset(own | paths)


def _own_contents(lake: Lake, contents: dict[str, set[str]]) -> dict[str, set[str]]:
    """The content hashes without those of a text that another document has, too: it may be ingested again."""
    hashes = {content for found in contents.values() for content in found}
    if not hashes:
        return contents
    found = _columns(lake.table(SOURCE_DOCUMENTS), In("content_hash", hashes), "content_hash", "doc_id")
    shared = {content for content, doc_id in found if doc_id not in contents}
    return {doc_id: hashed - shared for doc_id, hashed in contents.items()}


def _columns(table: IcebergTable, condition: BooleanExpression, *names: str) -> Iterator[tuple[Any, ...]]:
    rows = table.scan(row_filter=condition, selected_fields=names).to_arrow()
    return zip(*(rows[name].to_pylist() for name in names), strict=True)


def holds(table: IcebergTable, file: str, forgotten: Forgotten) -> int:
    """How many rows of a Parquet file, deleted ones too, name the documents or quote them. Other files hold nothing of this kind: 0."""
    if not file.endswith(".parquet"):
        return 0
    dataset = parquet_of(table, file)
    columns = [name for name in dataset.schema.names if name in LOOKED_AT]
    if _is_import(dataset.schema):
        columns = ["id", "metadata"]
    if not columns:
        return 0
    count = 0
    for batch in dataset.to_batches(columns=columns, batch_size=READ_ROWS, use_threads=False):
        is_held = _is_removed(batch, forgotten)
        for name in SAID:
            if name in batch.schema.names:
                is_held = pc.or_(is_held, _is_quoted(batch.column(name), forgotten))
        count += pc.sum(is_held).as_py() or 0
    return count


def _is_import(schema: pa.Schema) -> bool:
    """Whether the file was exported for a bulk import of an index."""
    return {"id", "metadata"} <= set(schema.names)


def cleaned(rows: pa.Table, forgotten: Forgotten) -> pa.Table:
    """The rows without those of the documents, and what others say without what quotes them."""
    rows = rows.filter(pc.invert(_is_removed(rows, forgotten)))
    for name in SAID:
        if name in rows.column_names:
            values = rows[name].to_pylist()
            left = [forgotten.without_quotes(value) if value and forgotten.is_quoted(value) else value for value in values]
            if left != values:
                position = rows.schema.get_field_index(name)
                rows = rows.set_column(position, rows.schema.field(position), pa.array(left, rows.schema.field(position).type))
    return rows


def _is_removed(rows: pa.RecordBatch | pa.Table, forgotten: Forgotten) -> pa.Array:
    """For each row whether it is one of the documents, or names nothing but them."""
    names = rows.schema.names
    is_removed = pa.array([False] * rows.num_rows, pa.bool_())
    kinds = [(DOCUMENT_KEYS, forgotten.doc_ids), (CHUNK_KEYS, forgotten.chunk_ids)]
    if not set(DOCUMENT_KEYS) & set(names):
        kinds.append((PLACE_KEYS, forgotten.places))
    for keys, values in kinds:
        for key in set(keys) & set(names):
            column = rows[key].combine_chunks() if isinstance(rows, pa.Table) else rows.column(key)
            is_removed = pc.or_(is_removed, pc.is_in(column, value_set=pa.array(sorted(values), column.type)))
    if _is_import(rows.schema):
        said = [orjson.loads(value).get("doc_id") for value in rows.column("metadata").to_pylist()]
        is_removed = pc.or_(is_removed, pa.array([doc_id in forgotten.doc_ids for doc_id in said], pa.bool_()))
    return is_removed


def _is_quoted(column: pa.Array, forgotten: Forgotten) -> pa.Array:
    return pa.array([bool(value) and isinstance(value, str) and forgotten.is_quoted(value) for value in column.to_pylist()], pa.bool_())


def names_any(table: IcebergTable, manifest: str, paths: Collection[str]) -> bool:
    """Whether an Avro file (a manifest, or a list of manifests) names one of these files (as `stored_path`), in whatever state."""
    with AvroFile[Record](table.io.new_input(manifest)) as entries:
        return any("/" in value and stored_path(table, value) in paths for entry in entries for value in _values(entry))


def is_manifest(file: str) -> bool:
    """Whether a file names data files: every writer calls a list of manifests `snap-`."""
    return file.endswith(".avro") and not file.rpartition("/")[2].startswith("snap-")


def named_files(table: IcebergTable, manifest: str) -> list[DataFile]:
    """The files that a manifest names, in whatever state."""
    known = ManifestFile.from_args(
        manifest_path=manifest,
        manifest_length=0,
        partition_spec_id=0,
        content=ManifestContent.DATA,
        sequence_number=0,
        min_sequence_number=0,
    )
    return [entry.data_file for entry in known.fetch_manifest_entry(table.io, discard_deleted=False)]


def may_have_held(table: IcebergTable, file: DataFile, forgotten: Forgotten) -> bool:
    """Whether one of the documents lies between the smallest and largest values that a manifest has of a data file."""
    low, high = file.lower_bounds or {}, file.upper_bounds or {}
    if file.content != DataFileContent.DATA or not (low or high):
        return False
    fields = {field.name: field.field_id for field in table.schema().fields}
    for keys, names in ((DOCUMENT_KEYS, forgotten.doc_ids), (CHUNK_KEYS, forgotten.chunk_ids), (PLACE_KEYS, forgotten.places)):
        if known := [fields[key] for key in keys if key in fields]:
            return any(_lies_between(name.encode(), low.get(one), high.get(one)) for one in known for name in names)
    return True


def _lies_between(value: bytes, low: bytes | None, high: bytes | None) -> bool:
    """Whether a value is between two that may be cut off; no bound is none."""
    return (low is None or low <= value) and (high is None or value <= high or value.startswith(high))


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, Record):
        for member in value._data:
            yield from _values(member)
    elif isinstance(value, str):
        yield value


def is_in_statistics(table: IcebergTable, file: str, forgotten: Forgotten) -> bool:
    """Whether the footer of a Parquet file has one of the ids among the smallest and largest values of a column."""
    groups = [fragment.metadata for fragment in parquet_of(table, file).get_fragments()]
    columns = (one.row_group(group).column(n) for one in groups for group in range(one.num_row_groups) for n in range(one.num_columns))
    statistics = (column.statistics for column in columns if column.path_in_schema in LOOKED_AT and column.is_stats_set)
    known = forgotten.doc_ids | forgotten.chunk_ids
    return any(one.has_min_max and {one.min, one.max} & known for one in statistics)


def says(table: IcebergTable, file: str, forgotten: Forgotten) -> bool:
    """Whether a file that is neither Parquet nor Avro has one of the documents' ids of eight characters and more in it."""
    content = read_bytes(table, file)
    return any(doc_id.encode() in content for doc_id in forgotten.doc_ids if len(doc_id) >= 8)
