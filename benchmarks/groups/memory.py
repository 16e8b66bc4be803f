"""The most memory that any task holds, and how it grows with the corpus."""

from benchmarks.groups.comparing import AGAINST
from benchmarks.lake import NAME
from benchmarks.measures import Cost, Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Site, Workbench

GIGABYTE = 1e9
NOTES = [
    "The peak of a task counts all that its process holds, what it shares with the process that it was forked from included. Trino is "
    "not in it.",
    "A peer is one process. Peaks are those of every run that this report's run made over the corpus, the cold one at least.",
]


def measure(bench: Workbench) -> Section:
    """Target 13: the peak of the heaviest task over both corpora."""
    large, small = bench.large, bench.small
    peaks = {site: {name: max(cost.peak_memory for cost in costs) for name, costs in site.costs.items()} for site in (large, small)}
    ours, little = peaks[large][NAME], peaks[small][NAME]
    beside = f"CocoIndex {short(peaks[large][AGAINST] / GIGABYTE)}" if AGAINST in peaks[large] else ""
    figures = [
        Figure(f"GB of the heaviest task, {large.corpus.documents:,} documents", Spread.of([ours / GIGABYTE]), 13, most=0.5, beside=beside),
        Figure("heaviest task, large / small corpus", Spread.of([ours / little]), 13, most=1.5),
    ]
    columns = ["", *(f"{site.corpus.documents:,} documents, GB" for site in (large, small))]
    rows = [[name, *(short(peaks[site][name] / GIGABYTE) for site in (large, small))] for name in peaks[large] if name in peaks[small]]
    return Section("Memory", figures, [Table("Peak of the heaviest process", columns, rows), _by_step(large, small)], NOTES)


def _by_step(large: Site, small: Site) -> Table:
    """Our steps in the cold run."""
    cold: list[Cost] = [site.cold[NAME] for site in (large, small)]
    rows = [[step, *(short(cost.peaks[step] / GIGABYTE) for cost in cold)] for step in cold[0].peaks]
    columns = ["step", *(f"{site.corpus.documents:,} documents, GB" for site in (large, small))]
    return Table("Heaviest task of each of our steps, cold", columns, rows)
