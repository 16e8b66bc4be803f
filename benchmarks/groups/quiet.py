"""A run over a corpus in which nothing changed: what it takes, what it leaves untouched, how it grows with the corpus."""

from benchmarks.groups.comparing import Series, against_cocoindex, by_name, parts, seconds
from benchmarks.lake import NAME
from benchmarks.measures import Spread
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench

NOTES = [
    "Ours is `detect_changes` and `plan_batch`, each in a process of its own that is forked as Airflow forks it and connects to the lake "
    "anew; Trino runs. It reads the source table, the peers a folder of files: that is the work of `ingest_documents` here, not counted.",
    "The index is the development server over the small corpus, synced once before; requests are those that write or remove, as the steps "
    "count them.",
    "Peers: a fresh process each time, imports and the model's weights not counted, their state read from the disk.",
]


def measure(bench: Workbench) -> Section:
    """Targets 1 to 3: everybody over both corpora, round after round."""
    large, small = bench.large, bench.small
    commits = large.lake.commits() + small.lake.commits()
    rounds = [(large.round("quiet", number), small.round("quiet", number)) for number in range(bench.options.rounds)]
    commits = large.lake.commits() + small.lake.commits() - commits
    found, little = by_name([costs for costs, _ in rounds]), by_name([costs for _, costs in rounds])
    small.lake.start_index()
    (first_requests, _), (requests, _) = small.lake.sync_index(), small.lake.sync_index()
    texts = sum(cost.texts_embedded for cost in (*found[NAME], *little[NAME]))
    sizes = [f"{site.corpus.documents:,} documents" for site in (large, small)]
    figures = [
        *against_cocoindex(found, f"quiet run at {sizes[0]}", 1, most=0.25),
        Figure("texts embedded by all quiet runs", Spread.of([texts]), 2, most=0, counted=True),
        Figure("commits to embeddings and ledger by all quiet runs", Spread.of([commits]), 2, most=0, counted=True),
        Figure(
            f"index requests of a quiet sync, {sizes[1]}",
            Spread.of([requests]),
            2,
            most=0,
            beside=f"first sync {first_requests}",
            counted=True,
        ),
        *_growth(found, little),
    ]
    columns = [
        "",
        f"{sizes[0]}, s",
        f"{sizes[0]}, processor s",
        f"{sizes[1]}, s",
        f"{sizes[1]}, processor s",
        "parts of the first round, s",
    ]
    rows = [[name, *seconds(costs), *seconds(little[name]), parts(costs[0])] for name, costs in found.items() if name in little]
    return Section("Nothing changed", figures, [Table("Seconds of a quiet run", columns, rows)], NOTES)


def _growth(large: Series, small: Series) -> list[Figure]:
    """The wall time over the large corpus over that over the small one, of everybody who finished both."""
    ratios = {
        name: Spread.of_ratios([cost.wall for cost in large[name]], [cost.wall for cost in small[name]])
        for name in large
        if len(large[name]) == len(small.get(name, []))
    }
    beside = ", ".join(f"{name} {ratio}" for name, ratio in ratios.items() if name != NAME)
    return [Figure("quiet run, large / small corpus", ratios[NAME], 3, most=2, beside=beside)]
