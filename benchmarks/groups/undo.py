"""What the record saves: rebuilding the index from it, and taking a batch back, beside embedding the same again."""

from dataclasses import dataclass

from benchmarks.corpus import Corpus
from benchmarks.lake import NAME, SIDE_BY_SIDE
from benchmarks.measures import Cost, Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Site, Workbench

CHANGED_SHARE = 0.1
OTHER_SEED = 1
NOTES = [
    "Embedding is every step of `embed_documents` with all checks, then every step of `sync_index`; a rebuild is every step of "
    "`rebuild_index` up to the switch, by upserts, verified by ids, vectors and exact neighbours; a roll-back is every step of "
    "`roll_back_embeddings`, then every step of `sync_index`. Airflow's own time and the approval are in none of them.",
    SIDE_BY_SIDE,
    "The index is the development server. The model is a fast one: with a model that is called over a network the ratios are smaller.",
    f"The batch that is taken back replaced {CHANGED_SHARE:.0%} of the documents by other texts.",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done to the lake and its index: seconds in the lake's steps and in those that write to the index, texts embedded."""

    name: str
    lake: Cost
    index: Cost

    @property
    def wall(self) -> float:
        return self.lake.wall + self.index.wall

    @property
    def texts(self) -> int:
        return self.lake.texts_embedded + self.index.texts_embedded


def measure(bench: Workbench) -> Section:
    """Targets 14 and 15, over the corpus of full size."""
    site = bench.large
    site.lake.start_index()
    cold = Step("first run: embed and sync", site.cold[NAME], site.lake.sync_index()[1])
    rebuilds, batches, undone = [], [], []
    for number in range(bench.options.rounds):
        rebuilds.append(Step("rebuild from the record", *_nothing_and(site.lake.rebuild_index())))
        batches.append(_replace_texts(site, number))
        undone.append(Step("take the batch back", site.lake.roll_back(), site.lake.sync_index()[1]))
    figures = [
        Figure("texts embedded by roll-back and sync", Spread.of([sum(step.texts for step in undone)]), 14, most=0, counted=True),
        Figure("roll-back and sync / embedding and syncing the batch", _ratio(undone, batches), 14, most=0.1),
        Figure("texts embedded by a rebuild", Spread.of([sum(step.texts for step in rebuilds)]), 15, most=0, counted=True),
        Figure("rebuild / cold run", Spread.of([step.wall / cold.wall for step in rebuilds]), 15, most=1 / 3),
        Figure("roll-back alone / embedding the batch alone", Spread.of_ratios(*_lake_walls(undone, batches))),
    ]
    rows = [_row([cold]), _row(rebuilds), _row(batches), _row(undone)]
    title = f"{site.corpus.documents:,} documents"
    columns = ["", "s in all", "s in the lake", "s at the index", "texts embedded"]
    return Section("Without embedding again", figures, [Table(title, columns, rows)], NOTES)


def _nothing_and(cost: Cost) -> tuple[Cost, Cost]:
    return Cost(0.0, 0.0, 0), cost


def _replace_texts(site: Site, number: int) -> Step:
    """Publish and sync a batch that gives a tenth of the documents texts which nobody has embedded."""
    size = max(1, round(site.corpus.documents * CHANGED_SHARE))
    texts = dict(Corpus(size, site.corpus.seed + OTHER_SEED + number).texts())
    site.lake.put(texts.items())
    embedded = site.lake.bring_up_to_date()
    return Step(f"a batch of {CHANGED_SHARE:.0%}: embed and sync", embedded, site.lake.sync_index()[1])


def _ratio(ours: list[Step], others: list[Step]) -> Spread:
    return Spread.of_ratios([step.wall for step in ours], [step.wall for step in others])


def _lake_walls(ours: list[Step], others: list[Step]) -> tuple[list[float], list[float]]:
    return [step.lake.wall for step in ours], [step.lake.wall for step in others]


def _row(steps: list[Step]) -> list[str]:
    spreads = [Spread.of(values) for values in zip(*((step.wall, step.lake.wall, step.index.wall) for step in steps), strict=True)]
    return [steps[0].name, *map(str, spreads), short(steps[0].texts)]
