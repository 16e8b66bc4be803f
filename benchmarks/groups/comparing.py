"""What the groups that run everybody over a corpus say in the same way."""

from benchmarks.lake import NAME
from benchmarks.measures import Cost, Spread, short
from benchmarks.report import Figure

AGAINST = "cocoindex"

Series = dict[str, list[Cost]]


def by_name(rounds: list[dict[str, Cost]]) -> Series:
    """The costs of each by its name, of the rounds in which it took part."""
    names = dict.fromkeys(name for costs in rounds for name in costs)
    return {name: [costs[name] for costs in rounds if name in costs] for name in names}


def against_cocoindex(found: Series, what: str, target: int | None = None, most: float | None = None) -> list[Figure]:
    """Ours over CocoIndex's, in wall clock, for which a target may be, and in processor time; nothing where that peer failed."""
    if len(found.get(AGAINST, [])) != len(found[NAME]):
        return []
    wall, cpu = (
        Spread.of_ratios([getattr(cost, kind) for cost in found[NAME]], [getattr(cost, kind) for cost in found[AGAINST]])
        for kind in ("wall", "cpu")
    )
    return [
        Figure(f"{what}, wall clock: ours / CocoIndex", wall, target, most=most),
        Figure(f"{what}, processor time with Trino's: ours / CocoIndex", cpu),
    ]


def seconds(costs: list[Cost]) -> list[str]:
    """Wall clock and processor time as cells of a table."""
    return [str(Spread.of([cost.wall for cost in costs])), str(Spread.of([cost.cpu for cost in costs]))]


def parts(cost: Cost) -> str:
    """The wall seconds of a run's parts as a cell of a table."""
    return ", ".join(f"{phase} {short(wall)}" for phase, wall in cost.phases.items())
