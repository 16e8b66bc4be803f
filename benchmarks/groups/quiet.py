"""A run over a corpus in which nothing changed: what it takes, what it leaves untouched, how it grows with the corpus."""

from benchmarks.lake import NAME
from benchmarks.measures import Cost, Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench

AGAINST = "cocoindex"


def measure(bench: Workbench) -> Section:
    """Targets 1 to 3: everybody over both corpora, round after round."""
    large, small = bench.large, bench.small
    commits = large.lake.commits() + small.lake.commits()
    rounds = [(large.round("quiet"), small.round("quiet")) for _ in range(bench.options.rounds)]
    commits = large.lake.commits() + small.lake.commits() - commits
    found = {name: ([big[name] for big, _ in rounds], [little[name] for _, little in rounds]) for name in _present(rounds)}
    small.lake.start_index()
    first_requests, requests = small.lake.sync_index(), small.lake.sync_index()
    texts = sum(cost.texts_embedded for costs in found[NAME] for cost in costs)
    size = f"{large.corpus.documents:,} documents"
    figures = []
    if AGAINST in found:
        for kind, most in (("wall", 0.25), ("cpu", None)):
            ratio = Spread.of_ratios(*([getattr(cost, kind) for cost in found[name][0]] for name in (NAME, AGAINST)))
            figures.append(Figure(f"quiet run at {size}, {KINDS[kind]}: ours / CocoIndex", ratio, 1 if most else None, most=most))
    figures += [
        Figure("texts embedded by all quiet runs", Spread.of([texts]), 2, most=0),
        Figure("commits to embeddings and ledger by all quiet runs", Spread.of([commits]), 2, most=0),
        Figure(
            f"index requests of a quiet sync, {small.corpus.documents:,} documents",
            Spread.of([requests]),
            2,
            most=0,
            beside=f"first sync {first_requests}",
        ),
    ]
    figures += [_growth(name, *costs) for name, costs in found.items()]
    columns = ["", f"{size}, s", f"{small.corpus.documents:,} documents, s", f"{size}, processor s", "its parts in the last round, s"]
    return Section("Nothing changed", figures, [Table("Seconds of a quiet run", columns, [_row(*one) for one in found.items()])], NOTES)


KINDS = {"wall": "wall clock", "cpu": "processor time with Trino's"}
NOTES = [
    "Ours is `detect_changes` and `plan_batch`, each in a process of its own that is forked as Airflow forks it and connects to the lake "
    "anew; Trino runs. It reads the source table, the peers a folder of files: that is the work of `ingest_documents` here, not counted.",
    "The index is the development server over the small corpus, synced once before; requests are those that write or remove, as the steps "
    "count them.",
    "Peers: a fresh process each time, imports and the model's weights not counted, their state read from the disk.",
]


def _present(rounds: list[tuple[dict[str, Cost], dict[str, Cost]]]) -> list[str]:
    """Who finished every round."""
    return [name for name in rounds[0][0] if all(name in costs for pair in rounds for costs in pair)]


def _growth(name: str, large: list[Cost], small: list[Cost]) -> Figure:
    ratio = Spread.of_ratios([cost.wall for cost in large], [cost.wall for cost in small])
    ours = name == NAME
    return Figure(f"quiet run, large / small corpus: {name}", ratio, 3 if ours else None, most=2 if ours else None)


def _row(name: str, costs: tuple[list[Cost], list[Cost]]) -> list[str]:
    large = costs[0]
    parts = ", ".join(f"{phase} {short(seconds)}" for phase, seconds in large[-1].phases.items())
    walls = [str(Spread.of([cost.wall for cost in each])) for each in costs]
    return [name, *walls, str(Spread.of([cost.cpu for cost in large])), parts]
