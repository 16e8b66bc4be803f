"""What a simulated run is made of: stages over batches, and what decides how long it takes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Stage:
    """What one step needs, as the seconds that it takes of each resource; the scarcest decides, beside what cannot be shared out."""

    name: str
    needs: dict[str, float]

    @property
    def seconds(self) -> float:
        return max(self.needs.values(), default=0.0)

    @property
    def scarcest(self) -> str:
        return max(self.needs, key=self.needs.__getitem__, default="")


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a run moves and costs. Bytes are those of rows in the lake, and of what is sent to the index; requests those of the index."""

    documents: float = 0
    texts: float = 0
    records: float = 0
    tokens: float = 0
    model_usd: float = 0
    index_usd: float = 0
    lake_bytes: float = 0
    index_bytes: float = 0
    index_requests: float = 0


@dataclass(frozen=True)
class Run:
    """A simulated run: for each batch the stages of each DAG that works on it, one DAG after the other, all DAGs side by side."""

    name: str
    amounts: Amounts
    batches: list[list[list[Stage]]]
    shards: dict[str, int]
    warnings: list[str]

    @cached_property
    def lines(self) -> list[float]:
        """Seconds of each DAG over all batches."""
        return [sum(stage.seconds for batch in self.batches for stage in batch[line]) for line in range(len(self.batches[0]))]

    @cached_property
    def seconds(self) -> float:
        """From the first batch's begin to the last one's end: a DAG takes the next batch while the next DAG has this one."""
        ends = [0.0] * len(self.lines)
        for batch in self.batches:
            before = 0.0
            for line, stages in enumerate(batch):
                before = ends[line] = max(before, ends[line]) + sum(stage.seconds for stage in stages)
        return ends[-1]

    @cached_property
    def stages(self) -> dict[str, tuple[float, str]]:
        """By stage: its seconds over all batches, and what decided most of them."""
        names = dict.fromkeys(stage.name for stage in self._all())
        of_name = {name: [stage for stage in self._all() if stage.name == name] for name in names}
        return {name: (sum(stage.seconds for stage in stages), scarcest(stages)) for name, stages in of_name.items()}

    @cached_property
    def used(self) -> dict[str, float]:
        """By resource the share of the run that it would be at its limit, the most used first; above 1 where DAGs side by side compete."""
        needs: defaultdict[str, float] = defaultdict(float)
        for stage in self._all():
            for resource, seconds in stage.needs.items():
                needs[resource] += seconds
        return {name: needs[name] / self.seconds for name in sorted(needs, key=needs.__getitem__, reverse=True) if needs[name]}

    @property
    def bottleneck(self) -> str:
        """What decides most of the time of the slowest DAG."""
        line = max(range(len(self.lines)), key=self.lines.__getitem__)
        return scarcest(stage for batch in self.batches for stage in batch[line])

    def _all(self) -> Iterator[Stage]:
        return (stage for batch in self.batches for line in batch for stage in line)


def scarcest(stages: Iterable[Stage]) -> str:
    """What decides most of the time of these stages; empty where nothing does."""
    decided: defaultdict[str, float] = defaultdict(float)
    for stage in stages:
        decided[stage.scarcest] += stage.seconds
    return max(decided, key=decided.__getitem__, default="")
