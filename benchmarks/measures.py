"""What a run costs, and what several rounds of it say: a median with its spread."""

import re
import resource
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Self

PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def peak_memory() -> int:
    """The most bytes that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists() and (found := PEAK.search(status.read_text())):
        # Unlike getrusage, it does not count what the parent held before this program took its place.
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@dataclass(frozen=True, slots=True)
class Cost:
    """One run: seconds of wall clock and of processors, bytes of memory at the peak, texts asked of the model and the seconds inside it.

    Processor time counts every thread, and for our lake what Trino took meanwhile.
    `phases` are the wall seconds of its parts, in their order, and `peaks` the memory at the peak of each, where they are processes.
    """

    wall: float
    cpu: float
    peak_memory: int
    texts_embedded: int = 0
    embedder_wall: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of_tasks(cls, tasks: list[tuple[str, "Cost"]]) -> Self:
        """The cost of tasks that ran one after the other, each in a process of its own; tasks of one name are one phase."""
        phases: dict[str, float] = {}
        peaks: dict[str, int] = {}
        for name, cost in tasks:
            phases[name] = phases.get(name, 0.0) + cost.wall
            peaks[name] = max(peaks.get(name, 0), cost.peak_memory)
        costs = [cost for _, cost in tasks]
        return cls(
            wall=sum(cost.wall for cost in costs),
            cpu=sum(cost.cpu for cost in costs),
            peak_memory=max(peaks.values()),
            texts_embedded=sum(cost.texts_embedded for cost in costs),
            embedder_wall=sum(cost.embedder_wall for cost in costs),
            phases=phases,
            peaks=peaks,
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, the lowest and the highest, and how many there were."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: list[float]) -> Self:
        """The spread of one value a round."""
        return cls(median(values), min(values), max(values), len(values))

    @classmethod
    def of_ratios(cls, numerators: list[float], denominators: list[float]) -> Self:
        """The spread of the ratios round by round: what was measured side by side is compared."""
        return cls.of([above / below for above, below in zip(numerators, denominators, strict=True)])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        if self.rounds == 1:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)} to {short(self.high)}, {self.rounds} rounds)"


def short(value: float) -> str:
    """A number in at least three digits, without digits that no measurement has."""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"
