"""The first run over a whole corpus: what is spent around the embedder."""

from benchmarks.groups.comparing import parts
from benchmarks.lake import NAME, SIDE_BY_SIDE
from benchmarks.measures import Cost, Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench

# The embedder and what keeps its vectors: the part of a run that every way of doing it has.
KEEPING = ("embed", "commit", "audit", "publish")
NOTES = [
    "Everybody embeds with the same model code and counts the seconds inside it. It is faster than wordllama's own `embed`, which makes "
    "the share of everything else larger, for everybody.",
    "Ours: every shard is a process of its own that connects to the lake and loads the model; neither counts as the embedder. They embed "
    "one at a time, where Airflow runs several. There is one cold round, since it is long.",
    SIDE_BY_SIDE,
]


def measure(bench: Workbench) -> Section:
    """Target 4: the wall time around the embedder, for both corpora."""
    figures, rows = [], []
    for site, target in ((bench.large, 4), (bench.small, None)):
        size = f"{site.corpus.documents:,} documents"
        kept = _kept(site.cold[NAME])
        name = f"embed, commit, audit and publish / inside the embedder, {size}"
        figures.append(Figure(name, Spread.of([kept]), target, most=1.15 if target else None, beside=_beside(site.cold)))
        rows += [_row(name, size, cost) for name, cost in site.cold.items()]
    columns = ["", "corpus", "all, s", "inside the embedder, s", "processor s", "texts embedded", "its parts, s"]
    return Section("Cold run", figures, [Table("Seconds of the first run", columns, rows)], NOTES)


def _kept(cost: Cost) -> float:
    return sum(cost.phases[phase] for phase in KEEPING) / cost.embedder_wall


def _beside(cold: dict[str, Cost]) -> str:
    """The whole runs of the peers against their own time in the embedder."""
    return ", ".join(f"{name} {short(cost.wall / cost.embedder_wall)}" for name, cost in cold.items() if name != NAME)


def _row(name: str, size: str, cost: Cost) -> list[str]:
    return [name, size, short(cost.wall), short(cost.embedder_wall), short(cost.cpu), f"{cost.texts_embedded:,}", parts(cost)]
