"""The same changes beside a thousand documents and beside a million: what each step costs, and what grows with the corpus."""

import random
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from benchmarks.audited_corpus import CHUNKS_A_DOCUMENT, AuditedCorpus
from benchmarks.capacity.slopes import ALL_STEPS, check
from benchmarks.corpus import Corpus
from benchmarks.embedder import PROFILE
from benchmarks.lake import OurLake, StepRun
from benchmarks.measures import Cost, Spread, short
from benchmarks.report import Figure, Plot, Section, Table
from benchmarks.workbench import WARM_UP_DOCUMENTS, Workbench
from embedding_lakehouse.clients import sync_plans
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.journal import Journal
from embedding_lakehouse.clients.lake import connect
from embedding_lakehouse.clients.sql import statements
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, INDEX_RELEASES
from embedding_lakehouse.steps.set_up import create_views

SMALLEST = 1_000
# Edited beside every corpus, so that only the corpus differs.
SAME_CHANGE = 100
PUBLISHED_ROWS, PART_ROWS = 200_000, 20_000
# Rows of a statement that a dashboard shows.
SHOWN_ROWS = 1_000
SYNC = "sync plan"
MOST_SECONDS, MOST_MEMORY = 10.0, 1_000_000_000
NOTES = [
    "The corpus is filled without a model, as published batches leave it: ten chunks a document, vectors of 256 dimensions, batches of "
    "20,000 documents, files of 20,000 rows, as if compacted now and then. Edited documents get new texts of 300 to 1,500 words, all of "
    "whose chunks are new.",
    "Every step is a process of its own that connects to the lake anew, as Airflow runs it; Trino has 2 GB of heap. `sync plan` is the "
    "difference that the live release is behind: after edits by their batches, after a roll-back between whole states. Nothing is "
    "written to an index, which would hold ten million records.",
    "A quiet run is `detect_changes` and `plan_batch`. Beside each corpus the quiet run comes after the edits, and the first run after "
    "the corpus grew is not counted.",
    f"Dashboards are the statements of `sql/dashboards` as they stand, one after the other, each until its first {SHOWN_ROWS:,} rows.",
]


@dataclass
class Beside:
    """What was measured beside a corpus of `documents`: quiet runs, by the number of edited documents the cost of a whole run, what it
    costs to take such a batch back, and the seconds of every dashboard."""

    documents: int
    quiet: list[Cost]
    edited: dict[int, Cost]
    taken_back: Cost
    dashboards: dict[str, float]

    @property
    def points(self) -> list[dict[str, Any]]:
        """Each whole run as a simulator reads it."""
        return [
            {"documents": self.documents, "changed": count, "texts": cost.texts_embedded, "phases": cost.phases, "peaks": cost.peaks}
            for count, cost in self.edited.items()
        ]


def measure(bench: Workbench) -> Section:
    """Corpora from a thousand documents to `--scale-documents` by powers of ten; changes from a hundred documents to 1% of the largest."""
    site = Scale(bench)
    sizes = _powers(SMALLEST, bench.options.scale_documents)
    found = [site.measure(size) for size in sizes]
    small, large = found[0], found[-1]
    quiet = Spread.of([cost.wall for cost in large.quiet])
    peak = max(max(cost.peak_memory for cost in (*one.quiet, *one.edited.values())) for one in found)
    grown = large.edited[SAME_CHANGE].wall / small.edited[SAME_CHANGE].wall
    figures = [
        Figure(f"seconds of a quiet run, {large.documents:,} documents", quiet, 1, most=MOST_SECONDS),
        Figure(f"GB of the heaviest task, {large.documents:,} documents", Spread.of([peak / 1e9]), most=MOST_MEMORY / 1e9),
        Figure(f"{SAME_CHANGE} documents edited, all steps: beside {large.documents:,} / {small.documents:,}", Spread.of([grown])),
    ]
    data: dict[str, Any] = {
        "points": [point for one in found for point in one.points],
        "quiet": [{"documents": one.documents, "seconds": Spread.of([cost.wall for cost in one.quiet]).median} for one in found],
    }
    predicted = [one.ratio for one in check(data["points"], data["quiet"]) if one.phase == ALL_STEPS]
    if predicted:
        name = f"all steps beside {large.documents:,}: predicted from the smaller corpora / measured"
        figures.append(Figure(name, Spread.of(predicted), beside="one for each size of change"))
    return Section(
        "Scale", figures, [_by_corpus(found), _by_change(large), _taken_back(found), _dashboards(found)], NOTES, _plots(found), data
    )


class Scale:
    """A lake that grows, and is edited and brought up to date at each size."""

    def __init__(self, bench: Workbench) -> None:
        self._ours = OurLake(bench.folder("scale") / "home")
        bench.stop_at_end(self._ours)
        self._ours.start()
        self._lake = connect()
        create_views(self._lake)
        self._ours.warm_up(Corpus(WARM_UP_DOCUMENTS, bench.options.seed).texts(), bench.options.warm_up_batches)
        self._corpus = AuditedCorpus(self._lake, 0, bench.options.seed, PUBLISHED_ROWS, PART_ROWS)
        self._rounds = bench.options.rounds
        self._random = random.Random(bench.options.seed)

    def measure(self, documents: int) -> Beside:
        """Grow to so many documents, and measure."""
        begun = time.monotonic()
        self._corpus.grow_to(documents * CHUNKS_A_DOCUMENT)
        print(f"  {documents:,} documents after {time.monotonic() - begun:.0f} s", flush=True)
        self._ours.bring_up_to_date()
        changes = [SAME_CHANGE, *(size for size in _powers(SMALLEST, documents // 100))]
        edited = {count: self._edited(documents, count) for count in changes[:1]}
        taken_back = self._taken_back()
        edited |= {count: self._edited(documents, count) for count in changes[1:]}
        quiet = [self._ours.bring_up_to_date() for _ in range(self._rounds)]
        return Beside(documents, quiet, edited, taken_back, {path: self._shown(path) for path in statements("dashboards")})

    def _shown(self, path: str) -> float:
        """Seconds until a dashboard's first rows are there."""
        begun = time.perf_counter()
        with closing(self._lake.sql.stream(path)) as rows:
            list(islice(rows, SHOWN_ROWS))
        return time.perf_counter() - begun

    def _edited(self, documents: int, count: int) -> Cost:
        """Edit so many documents, bring the lake up to date, and plan the sync of a release that was right before."""
        self._put_release()
        chosen = self._random.sample(range(documents), count)
        texts = Corpus(count, seed=self._random.randrange(1_000_000)).texts()
        self._ours.put((self._corpus.doc_id(document), text) for document, (_, text) in zip(chosen, texts, strict=True))
        cost = self._ours.bring_up_to_date()
        print(f"  {count:,} of {documents:,} edited: {cost.wall:.1f} s", flush=True)
        self._plan_sync(cost)
        return cost

    def _taken_back(self) -> Cost:
        """Roll back the batch that was published last, which the release holds, and plan the sync; then embed its documents again."""
        self._put_release()
        cost = self._ours.roll_back()
        self._plan_sync(cost)
        self._ours.bring_up_to_date()
        return cost

    def _plan_sync(self, cost: Cost) -> None:
        """Plan the sync of the release, as one more phase of what led to it."""
        sync = StepRun(self._ours, "sync_index")
        sync.task("planning.plan_sync", profile_name=PROFILE)
        cost.phases[SYNC], cost.peaks[SYNC] = sync.cost.wall, sync.cost.peak_memory

    def _put_release(self) -> None:
        """A live release that holds the lake as it is now."""
        lake, now = connect(), datetime.now(UTC)
        versions, embeddings = (head_snapshot(lake.table(table)).snapshot_id for table in (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS))
        _, records = sync_plans.measure(lake, self._corpus.profile, sync_plans.Span(None, versions, None, embeddings, False), [])
        row = {
            "release_id": "scale-r1",
            "profile": PROFILE,
            "index_name": "scale",
            "namespace": "scale-r1",
            "state": "live",
            "dimension": self._corpus.profile.dimensions,
            "metric": "cosine",
            "embeddings_snapshot": embeddings,
            "versions_snapshot": versions,
            "record_count": records,
            "is_pinned": False,
            "created_at": now,
            "updated_at": now,
        }
        Journal(lake.catalog, INDEX_RELEASES, "release_id").change(lambda rows: [row])


def _powers(first: int, last: int) -> list[int]:
    """The numbers from the first to the last, each ten times the one before; the last one always, where it is not below the first."""
    sizes = [first]
    while sizes[-1] * 10 < last:
        sizes.append(sizes[-1] * 10)
    return [size for size in dict.fromkeys((*sizes, last)) if first <= size <= last]


def _by_corpus(found: list[Beside]) -> Table:
    phases = list(found[0].edited[SAME_CHANGE].phases)
    columns = ["documents", "quiet run, s", "all steps, s", *(f"{phase}, s" for phase in phases), "heaviest task, GB"]
    rows = []
    for one in found:
        cost = one.edited[SAME_CHANGE]
        seconds = [short(cost.phases.get(phase, 0.0)) for phase in phases]
        quiet = str(Spread.of([each.wall for each in one.quiet]))
        rows.append([f"{one.documents:,}", quiet, short(cost.wall), *seconds, short(max(cost.peaks.values()) / 1e9)])
    return Table(f"{SAME_CHANGE} documents edited, by the size of the corpus", columns, rows)


def _by_change(large: Beside) -> Table:
    phases = list(large.edited[SAME_CHANGE].phases)
    columns = ["edited", "texts embedded", "all steps, s", *(f"{phase}, s" for phase in phases), "heaviest task, GB"]
    rows = [
        [
            f"{count:,}",
            f"{cost.texts_embedded:,}",
            short(cost.wall),
            *(short(cost.phases.get(phase, 0.0)) for phase in phases),
            short(max(cost.peaks.values()) / 1e9),
        ]
        for count, cost in large.edited.items()
    ]
    return Table(f"By the size of the change, beside {large.documents:,} documents", columns, rows)


def _taken_back(found: list[Beside]) -> Table:
    rows = [[f"{one.documents:,}", *map(short, (one.taken_back.wall, one.taken_back.phases[SYNC]))] for one in found]
    columns = ["documents", "roll-back, s", "sync plan, s"]
    return Table(f"The batch of {SAME_CHANGE} edited documents taken back, by the size of the corpus", columns, rows)


def _dashboards(found: list[Beside]) -> Table:
    columns = ["", *(f"{one.documents:,} documents, s" for one in found)]
    names = [*found[0].dashboards]
    rows = [[name.rpartition("/")[2], *(short(one.dashboards[name]) for one in found)] for name in names]
    return Table("Seconds of each dashboard", columns, rows)


def _plots(found: list[Beside]) -> list[Plot]:
    large = found[-1]
    by_corpus = {
        "quiet run": [(one.documents, Spread.of([cost.wall for cost in one.quiet]).median) for one in found],
        f"{SAME_CHANGE} documents edited": [(one.documents, one.edited[SAME_CHANGE].wall) for one in found],
        "sync plan": [(one.documents, one.edited[SAME_CHANGE].phases[SYNC]) for one in found],
        "sync plan after a roll-back": [(one.documents, one.taken_back.phases[SYNC]) for one in found],
    }
    by_change = {
        "all steps": [(count, cost.wall) for count, cost in large.edited.items()],
        "sync plan": [(count, cost.phases[SYNC]) for count, cost in large.edited.items()],
    }
    return [
        Plot("corpus", "documents of the corpus", "seconds", by_corpus),
        Plot("change", f"edited documents, beside {large.documents:,}", "seconds", by_change),
    ]
