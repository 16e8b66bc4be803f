"""The checks of one batch beside a small and a large corpus: what each costs, and how much of the lake it reads."""

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.audited_corpus import AuditedCorpus
from benchmarks.lake import OurLake
from benchmarks.measures import Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.settings import checks
from embedding_lakehouse.steps.embed_documents.auditing import run_check

SMALL_ROWS = 20_000
# They look at the batch's own rows and their plan, whatever else the lake holds.
OF_THE_BATCH = (
    "every_vector_has_the_declared_dimension",
    "no_required_value_is_null",
    "every_vector_is_finite",
    "no_vector_is_zero",
    "every_norm_is_normal",
    "every_chunk_length_is_in_bounds",
    "every_planned_chunk_is_committed",
    "every_planned_document_has_its_version",
    "every_chunk_belongs_to_a_version",
)
NOTES = [
    "Whole rows of `document_embeddings` with seeded random unit vectors of 256 dimensions, ten chunks a document, published in "
    "batches of 20,000 rows as parts of 2,000; the batch beside it is the same and lies on its branch.",
    "Seconds are those of `run_check` within one process, one check after the other: the statement, and what PyIceberg reads to know the "
    "branch. A first round is not counted. Rows and megabytes are what Trino says that it read from the files.",
]


@dataclass
class Measured:
    """A check beside one corpus: seconds of each round, rows and bytes that the engine read in the last one."""

    seconds: list[float]
    rows: int
    read_bytes: int


class WatchedEngine:
    """Opens connections and remembers the last cursor, for what the engine says of its statement."""

    def __init__(self, engine: SqlEngine) -> None:
        self._engine = engine
        self.cursor: Any = None

    def connect(self) -> Any:
        connection = self._engine.connect()
        opened = connection.cursor

        def cursor(*args: Any, **kwargs: Any) -> Any:
            self.cursor = opened(*args, **kwargs)
            return self.cursor

        connection.cursor = cursor
        return connection


def measure(bench: Workbench) -> Section:
    """The same batch beside a small corpus and beside `--corpus-rows` rows."""
    ours = OurLake(bench.folder("checks") / "home")
    bench.stop_at_end(ours)
    ours.start()
    corpus = AuditedCorpus(connect(), bench.options.batch_rows, bench.options.seed)
    found: dict[int, dict[str, Measured]] = {}
    for size in (min(SMALL_ROWS, bench.options.corpus_rows), bench.options.corpus_rows):
        corpus.grow_to(size)
        found[size] = _measure_checks(corpus.put_batch(), bench.options.rounds)
    small, large = found.values()
    totals = [[sum(one.seconds[number] for one in each.values()) for number in range(bench.options.rounds)] for each in (small, large)]
    read = [sum(one.read_bytes for one in each.values()) for each in (small, large)]
    own = [sum(each[name].rows for name in OF_THE_BATCH) for each in (small, large)]
    figures = [
        Figure("rows read by the checks of the batch alone: large / small corpus", Spread.of([own[1] / own[0]]), most=1, counted=True),
        Figure("seconds of all checks: large / small corpus", Spread.of_ratios(totals[1], totals[0])),
        Figure("bytes read by all checks: large / small corpus", Spread.of([read[1] / read[0]])),
        Figure("seconds of all checks, large corpus", Spread.of(totals[1])),
    ]
    sizes = " and ".join(f"{size:,}" for size in found)
    columns = ["", *(f"{what}, {size:,}" for what in ("s", "rows read", "MB read") for size in found)]
    rows = [[name, *_shown([each[name] for each in (small, large)])] for name in checks()]
    title = f"A batch of {bench.options.batch_rows:,} rows beside {sizes} rows"
    return Section("Checks", figures, [Table(title, columns, rows)], NOTES)


def _measure_checks(audited: tuple[Lake, str], rounds: int) -> dict[str, Measured]:
    lake, batch_id = audited
    watched = WatchedEngine(lake.sql)
    lake = Lake(lake.catalog, SqlEngine(lake.sql.name, watched.connect))
    found = {name: Measured([], 0, 0) for name in checks()}
    for number in range(rounds + 1):
        for name, measured in found.items():
            begun = time.perf_counter()
            result = run_check(batch_id, name, lake)
            if number:
                measured.seconds.append(time.perf_counter() - begun)
            if result["verdict"] != "passed":
                raise AssertionError(f"the benchmark's own batch does not pass: {result}")
            stats = watched.cursor.stats
            measured.rows, measured.read_bytes = stats["processedRows"], stats["physicalInputBytes"]
    return found


def _shown(beside: list[Measured]) -> list[str]:
    seconds = [str(Spread.of(one.seconds)) for one in beside]
    return [*seconds, *(short(one.rows) for one in beside), *(short(one.read_bytes / 1_000_000) for one in beside)]
