"""From the lake's files to the index: bytes on the wire and vectors a second, ours and the plain way of rows through the SDK."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from pinecone import Index
from pyiceberg.table import Table as IcebergTable

from benchmarks.groups.writing import DIMENSIONS, new_table, random_rows
from benchmarks.measures import Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse.clients.iceberg import append_once
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.clients.pinecone import VectorIndex
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.clients.sync_changes import PlannedRecord, embedding_rows
from embedding_lakehouse.core.records import encode_record, metadata, pack

OURS, PLAIN = "our records, packed", "rows as Python lists, the SDK's batched upsert"
NAMESPACE = "benchmark"
# The plain way must keep below 2 MB a request by itself: a record of 1,536 dimensions takes up to 35 KB there.
PLAIN_BATCH = 50
MOST_BYTES = 2_000_000
# A chunk's text travels as it is either way; it would only hide what is compared.
WITH_TEXT = False
NOTES = [
    "Both read the same rows of `document_embeddings` from its Parquet files and send the same metadata, without the text, to a server "
    "on this machine that only counts: what an index does with them is not measured.",
    f"The plain way turns record batches into Python rows and gives them to `Index.upsert(batch_size={PLAIN_BATCH})` of the real SDK.",
]


def measure(bench: Workbench) -> Section:
    """Targets 11 and 12: both ways in turn, round after round."""
    folder = bench.folder("payload")
    table = new_table(folder / "lake")
    rows = random_rows(max(1, bench.options.rows // 4), bench.options.seed, table.schema().as_arrow())
    append_once(table, [write_part(table, parts_folder(table, "benchmark"), rows)], {"batch_id": "benchmark"})
    walls: dict[str, list[float]] = {name: [] for name in WAYS}
    processors: dict[str, list[float]] = {name: [] for name in WAYS}
    sent: dict[str, dict[str, int]] = {}
    with sink() as address:
        for _ in range(bench.options.rounds):
            for name, way in WAYS.items():
                httpx.delete(address)
                begun, spent = time.perf_counter(), time.process_time()
                way(table, address)
                walls[name].append(time.perf_counter() - begun)
                processors[name].append(time.process_time() - spent)
                sent[name] = httpx.get(address).json()
    count = rows.num_rows
    figures = [
        Figure(
            "bytes a vector on the wire: ours / SDK", Spread.of([sent[OURS]["bytes"] / sent[PLAIN]["bytes"]]), 11, most=0.6, counted=True
        ),
        Figure("bytes of our largest request", Spread.of([sent[OURS]["largest"]]), 11, most=MOST_BYTES, counted=True),
        Figure("vectors a second: ours / SDK", Spread.of_ratios(walls[PLAIN], walls[OURS]), 12, least=1.5),
        Figure("vectors a processor second: ours / SDK", Spread.of_ratios(processors[PLAIN], processors[OURS])),
    ]
    shown = [
        [name, _rates(count, walls[name]), _rates(count, processors[name]), short(sent[name]["bytes"] / count), str(sent[name]["requests"])]
        for name in WAYS
    ]
    columns = ["", "vectors a second", "vectors a processor second", "bytes a vector", "requests"]
    return Section("To the index", figures, [Table(f"{count:,} records of {DIMENSIONS:,} dimensions", columns, shown)], NOTES)


def _rates(count: int, seconds: list[float]) -> str:
    return str(Spread.of([count / one for one in seconds]))


def _ours(table: IcebergTable, address: str) -> None:
    lake = Lake(table.catalog, SqlEngine("none", lambda: None))
    planned = [
        PlannedRecord(task.file.file_path, chunk, "benchmark", None)
        for task in table.scan(selected_fields=("chunk_id",)).plan_files()
        for chunk in table.scan(selected_fields=("chunk_id",)).to_arrow()["chunk_id"].to_pylist()
    ]
    records = (
        encode_record(row.planned.chunk_id, row.vector, metadata(row.columns, None, WITH_TEXT)) for row in embedding_rows(lake, planned)
    )
    VectorIndex(address, "a key", patience=10).upsert(pack(records, NAMESPACE))


def _plain(table: IcebergTable, address: str) -> None:
    index = Index(host=address, api_key="a key")
    for batch in table.scan().to_arrow_batch_reader():
        vectors = [
            {"id": row["chunk_id"], "values": row["embedding"], "metadata": metadata(row, None, WITH_TEXT)} for row in batch.to_pylist()
        ]
        answer = index.upsert(vectors=vectors, namespace=NAMESPACE, batch_size=PLAIN_BATCH, show_progress=False)
        assert not answer.has_errors


@contextmanager
def sink() -> Iterator[str]:
    """The address of a server that counts what it is sent."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


WAYS: dict[str, Callable[[IcebergTable, str], None]] = {OURS: _ours, PLAIN: _plain}
