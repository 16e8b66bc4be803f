"""What a commit and a plan cost after many small batches, with `maintain_tables` and without it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table as IcebergTable

from benchmarks.lake import OurLake
from benchmarks.measures import Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse.clients.iceberg import commit_files, publish_branch
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.maintenance import Rules
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.core.tables import Table as Declared
from embedding_lakehouse.steps.maintain_tables.maintaining import maintain_table

TABLES = (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)
ROWS, DIMENSIONS = 20, 256
# Batches between two runs of maintenance; the last ones of each stretch, after the run, are measured.
STRETCH, MEASURED = 20, 5
EARLY = 20
# As if each batch were a day's: nothing is too young.
RULES = Rules(snapshot_age=timedelta(0), orphan_age=timedelta(0), is_dry_run=False)
NOTES = [
    f"A batch adds {ROWS} rows to `document_embeddings` and to `document_versions`, each on a branch that is then published, as "
    "`embed_documents` does. A commit is both tables' branches made and published; a plan finds the files of a read of everything.",
    f"Maintenance runs every {STRETCH} batches, with ages of zero, as if the batches lay days apart. The medians are those of the "
    f"{MEASURED} batches after a run; the other lake is never maintained.",
]


@dataclass
class Grown:
    """Two tables that grow batch by batch, and what each batch took: seconds of its commits, and of the plans after it."""

    table: Callable[[Declared], IcebergTable]
    commits: list[float] = field(default_factory=list)
    plans: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    manifests: list[int] = field(default_factory=list)

    def add_batch(self, number: int) -> None:
        """Publish a batch, and measure."""
        staged = [(table, _part(table, number)) for table in map(self.table, TABLES)]
        begun = time.perf_counter()
        for table, file in staged:
            commit_files(table, f"batch-{number}", [file], {"batch_id": f"batch {number}"})
            publish_branch(table, f"batch-{number}")
        self.commits.append(time.perf_counter() - begun)
        loaded = [self.table(declared) for declared in TABLES]
        begun = time.perf_counter()
        self.files.append(sum(len(list(table.scan().plan_files())) for table in loaded))
        self.plans.append(time.perf_counter() - begun)
        self.manifests.append(sum(len(snapshot.manifests(table.io)) for table in loaded if (snapshot := table.current_snapshot())))


def measure(bench: Workbench) -> Section:
    """Commits and plans after 20 batches and after all of them, side by side with a lake that is left alone."""
    folder, batches = bench.folder("upkeep"), bench.options.upkeep_batches
    ours = OurLake(folder / "home")
    bench.stop_at_end(ours)
    ours.start()
    lake = connect()
    kept, left = Grown(lake.table), Grown(_without_engine(folder))
    for number in range(1, batches + 1):
        kept.add_batch(number)
        left.add_batch(number)
        if number % STRETCH == STRETCH - MEASURED:
            _maintain(lake, number)
    figures = [
        Figure(f"commit after {batches} batches / after {EARLY}, maintained", _growth(kept.commits), 10, most=1.5),
        Figure(f"plan after {batches} batches / after {EARLY}, maintained", _growth(kept.plans), most=1.5),
        Figure("files to read, the same, maintained", Spread.of([kept.files[-1] / kept.files[EARLY - 1]]), most=1, counted=True),
        Figure(
            "manifests to read, the same, maintained", Spread.of([kept.manifests[-1] / kept.manifests[EARLY - 1]]), most=1, counted=True
        ),
        Figure(f"commit after {batches} batches / after {EARLY}, left alone", _growth(left.commits)),
        Figure(f"plan after {batches} batches / after {EARLY}, left alone", _growth(left.plans)),
        Figure(
            f"commit after {batches} batches, maintained / left alone", Spread.of_ratios(kept.commits[-MEASURED:], left.commits[-MEASURED:])
        ),
        Figure(f"plan after {batches} batches, maintained / left alone", Spread.of_ratios(kept.plans[-MEASURED:], left.plans[-MEASURED:])),
    ]
    rows = [_row(name, grown, last) for name, grown in (("maintained", kept), ("left alone", left)) for last in (EARLY, batches)]
    columns = ["", "batches", "ms a commit", "ms a plan", "data files", "manifests"]
    return Section("Upkeep", figures, [Table(f"{batches} batches of {ROWS} rows", columns, rows)], NOTES)


def _maintain(lake: Lake, number: int) -> None:
    for declared in TABLES:
        maintain_table(declared.name, RULES.as_keys(), f"after {number} batches", lake=lake)


def _without_engine(folder: Path) -> Callable[[Declared], IcebergTable]:
    catalog = load_catalog("benchmark", type="sql", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/left")
    for declared in TABLES:
        ensure_table(catalog, declared)
    return lambda declared: catalog.load_table(declared.name)


def _part(table: IcebergTable, number: int) -> str:
    numbers = range(number * ROWS, (number + 1) * ROWS)
    vectors = np.random.default_rng(number).standard_normal((ROWS, DIMENSIONS), dtype=np.float32)
    same = {"profile": "upkeep", "model_version": "upkeep-v1", "batch_id": f"batch {number}", "batch_number": number}
    same["created_at"] = datetime.now(UTC)
    rows = [same | {"doc_id": f"doc {one}", "chunk_id": f"chunk {one}", "embedding": list(vectors[one % ROWS])} for one in numbers]
    wanted = [name for name in table.schema().column_names if name in rows[0]]
    return write_part(table, parts_folder(table, f"batch_id=batch {number}"), pa.Table.from_pylist(rows).select(wanted))


def _growth(values: list[float]) -> Spread:
    return Spread.of_ratios(values[-MEASURED:], values[EARLY - MEASURED : EARLY])


def _row(name: str, grown: Grown, last: int) -> list[str]:
    first = last - MEASURED
    milliseconds = [str(Spread.of([1000 * one for one in values[first:last]])) for values in (grown.commits, grown.plans)]
    return [name, short(last), *milliseconds, short(grown.files[last - 1]), short(grown.manifests[last - 1])]
