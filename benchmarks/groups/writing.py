"""Writing vectors of 1,536 dimensions into the table: our parts, PyIceberg's own append, and bare Parquet files beside them."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table as IcebergTable

from benchmarks.corpus import Corpus
from benchmarks.embedder import profile
from benchmarks.measures import Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.chunking import chunk_document
from embedding_lakehouse.core.hashing import chunk_id, text_hash
from embedding_lakehouse.core.profiles import BatchLimits
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS

DIMENSIONS = 1_536
OURS, APPEND, BARE = "our parts, registered", "PyIceberg append", "bare pyarrow"
ONE_PART = "our parts, one file"
NOTES = [
    "Whole rows of `document_embeddings`: the chunk's text, its hashes and a seeded random unit vector. Our parts hold "
    f"{BatchLimits().checkpoint_chunks:,} rows, as the checkpoints of a batch do; both others write one file.",
    "Ours is written, renamed and registered in one commit; PyIceberg's append writes and commits; bare pyarrow writes a file in our "
    "encoding without a table, which is the limit.",
    "The entropy of the vectors is that of their four bytes, each by itself: no code of single bytes keeps them in less. Random mantissas "
    "leave the sign and the exponent to save.",
]

Write = Callable[[IcebergTable, pa.Table, Path], None]


def measure(bench: Workbench) -> Section:
    """Targets 8 and 9: each way in turn, round after round, each time into a new table."""
    folder = bench.folder("writing")
    schema = new_table(folder / "schema").schema().as_arrow()
    rows = random_rows(bench.options.rows, bench.options.seed, schema)
    walls: dict[str, list[float]] = {name: [] for name in WAYS}
    processors: dict[str, list[float]] = {name: [] for name in WAYS}
    sizes: dict[str, int] = {}
    vectors: dict[str, int] = {}
    for number in range(bench.options.rounds):
        for position, (name, write) in enumerate(WAYS.items()):
            place = folder / f"{number}-{position}"
            table = new_table(place)
            begun, spent = time.perf_counter(), time.process_time()
            write(table, rows, place / "warehouse")
            walls[name].append(time.perf_counter() - begun)
            processors[name].append(time.process_time() - spent)
            sizes[name], vectors[name] = _bytes(place)
            shutil.rmtree(place)
    least = _entropy(rows)
    possible = sizes[OURS] - vectors[OURS] + least
    figures = [
        Figure("rows a second: ours / PyIceberg append", Spread.of_ratios(walls[APPEND], walls[OURS]), 8, least=1.8),
        Figure("rows a second: ours / bare pyarrow", Spread.of_ratios(walls[BARE], walls[OURS]), 8, least=0.7),
        Figure("rows a processor second: ours / PyIceberg append", Spread.of_ratios(processors[APPEND], processors[OURS])),
        Figure("rows a processor second: ours / bare pyarrow", Spread.of_ratios(processors[BARE], processors[OURS])),
        Figure("bytes of the data files: ours / PyIceberg append", Spread.of([sizes[OURS] / sizes[APPEND]]), 9, most=0.88),
        Figure("bytes of the vectors alone: ours / PyIceberg append", Spread.of([vectors[OURS] / vectors[APPEND]])),
        Figure("bytes of the vectors alone: ours / their entropy", Spread.of([vectors[OURS] / least]), most=1.03, counted=True),
        Figure("the same data files, were the vectors as small as their entropy", Spread.of([possible / sizes[APPEND]])),
    ]
    count = rows.num_rows
    written = [[name, _rates(count, walls[name]), _rates(count, processors[name]), short(sizes[name] / count)] for name in WAYS]
    columns = ["", "rows a second", "rows a processor second", "bytes a row"]
    return Section("Writing", figures, [Table(f"{count:,} rows of {DIMENSIONS:,} dimensions", columns, written)], NOTES)


def _rates(count: int, seconds: list[float]) -> str:
    return str(Spread.of([count / one for one in seconds]))


def _bytes(folder: Path) -> tuple[int, int]:
    """Bytes of the Parquet files, and of the vectors in them."""
    files = list(folder.rglob("*.parquet"))
    known = [pq.read_metadata(file) for file in files]
    groups = [one.row_group(number) for one in known for number in range(one.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    vectors = sum(column.total_compressed_size for column in columns if column.path_in_schema.startswith("embedding.list"))
    return sum(file.stat().st_size for file in files), vectors


def _entropy(rows: pa.Table) -> float:
    """Bytes that the vectors' values need at least, each of their bytes coded by itself."""
    values = rows["embedding"].combine_chunks().flatten().to_numpy()
    positions = values.view(np.uint8).reshape(-1, values.itemsize).T
    shares = [np.bincount(position) / len(position) for position in positions]
    return float(sum(-(share[share > 0] * np.log2(share[share > 0])).sum() for share in shares)) * len(values) / 8


def _write_parts(table: IcebergTable, rows: pa.Table, _folder: Path, part_rows: int = BatchLimits().checkpoint_chunks) -> None:
    place = parts_folder(table, "batch_id=benchmark")
    files = [write_part(table, place, rows.slice(first, part_rows)) for first in range(0, rows.num_rows, part_rows)]
    table.add_files(files)


def _write_one_part(table: IcebergTable, rows: pa.Table, folder: Path) -> None:
    _write_parts(table, rows, folder, rows.num_rows)


def _append(table: IcebergTable, rows: pa.Table, _folder: Path) -> None:
    table.append(rows)


def _write_bare(_table: IcebergTable, rows: pa.Table, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        rows,
        folder / "bare.parquet",
        compression="zstd",
        compression_level=1,
        use_dictionary=["model_name", "model_version", "profile", "batch_id", "chunking_strategy"],
        use_byte_stream_split=["embedding.list.element"],
    )


WAYS: dict[str, Write] = {OURS: _write_parts, ONE_PART: _write_one_part, APPEND: _append, BARE: _write_bare}


def new_table(folder: Path) -> IcebergTable:
    """An empty `document_embeddings` in a catalog of its own."""
    folder.mkdir()
    catalog = load_catalog("benchmark", type="sql", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
    ensure_table(catalog, DOCUMENT_EMBEDDINGS)
    return catalog.load_table(DOCUMENT_EMBEDDINGS.name)


def random_rows(count: int, seed: int, schema: pa.Schema) -> pa.Table:
    """Rows as a batch has them, with random unit vectors: float32, `count` x 1,536."""
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    offsets = np.arange(count + 1, dtype=np.int32) * DIMENSIONS
    names = [field.name for field in schema if field.name not in ("embedding", "copied_from_batch")]
    columns = pa.Table.from_pylist(list(_columns(count, seed)), schema=pa.schema([schema.field(name) for name in names]))
    return columns.append_column("embedding", pa.ListArray.from_arrays(offsets, vectors.reshape(-1)))


def _columns(count: int, seed: int) -> Iterator[dict[str, object]]:
    now, embedded_by = datetime.now(UTC), profile()
    made = 0
    for doc_id, text in Corpus(count, seed).texts():
        for chunk in chunk_document(text, embedded_by.chunking):
            yield {
                "doc_id": doc_id,
                "chunk_id": chunk_id(doc_id, chunk.text),
                "chunk_text": chunk.text,
                "embedding_dim": DIMENSIONS,
                "model_name": embedded_by.model_name,
                "model_version": embedded_by.model_version,
                "chunking_strategy": embedded_by.chunking_strategy,
                "source_snapshot": 1,
                "created_at": now,
                "batch_id": "benchmark",
                "profile": embedded_by.name,
                "profile_fingerprint": embedded_by.fingerprint,
                "content_hash": text_hash(text),
                "text_hash": text_hash(chunk.text),
                "token_count": 200,
                "chunk_index": chunk.index,
                "start_offset": chunk.start_offset,
            }
            made += 1
            if made == count:
                return
