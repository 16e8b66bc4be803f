"""A reconciliation of a profile's index in one call, as the DAG runs it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.errors import ApprovalRequired, NothingToDo
from embedding_lakehouse.steps.reconcile_index.comparing import compare_ids, compare_records
from embedding_lakehouse.steps.reconcile_index.concluding import conclude_reconciliation
from embedding_lakehouse.steps.reconcile_index.planning import plan_reconciliation
from embedding_lakehouse.steps.reconcile_index.repairing import plan_repair, propose_repair
from tests.index_fixtures import Following


@dataclass
class Reconciling:
    """The reconciliations of an index; `settle` is how many seconds a difference may be due to writes that are not yet visible."""

    following: Following
    settle: float = 0
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def lake(self) -> Lake:
        return self.following.lake

    def reconcile(self, ask: bool = False, **params: Any) -> dict[str, Any]:
        """One run of the DAG; what it found. Raises ApprovalRequired where it would wait for consent."""
        for _ in self.steps(ask=ask, **params):
            pass
        return self.results["conclude"]

    def steps(self, compare: str = "all", sample_share: float = 0.5, **params: Any) -> Iterator[str]:
        """One run, task by task: each name is yielded after the task ran, so that a run can be left anywhere."""
        yield from self.comparing(compare, sample_share)
        try:
            yield from self.repairing(**params)
        except NothingToDo:
            return

    def comparing(self, compare: str = "all", sample_share: float = 0.5) -> Iterator[str]:
        """The tasks up to the conclusion."""
        lake, service, results = self.lake, self.following.service, self.results
        results.clear()
        plan = plan_reconciliation(self.following.profile.name, compare, sample_share, "reconcile_index", "a test", lake)
        results["plan"] = plan
        yield "plan"
        results["records"] = [compare_records(plan["comparison"], shard, lake, service, self.settle) for shard in plan["shards"]]
        yield "records"
        self.list_ids(plan["prefixes"])
        yield "ids"
        self.conclude()
        yield "conclude"

    def list_ids(self, prefixes: list[str]) -> None:
        """List and compare the ids that begin with one of these groups of characters."""
        comparison, service = self.results["plan"]["comparison"], self.following.service
        self.results["ids"] = [compare_ids(comparison, prefix, self.lake, service, self.settle) for prefix in prefixes]

    def conclude(self) -> None:
        """Sum up what the tasks before found."""
        found = self.results
        found["conclude"] = conclude_reconciliation(found["plan"]["comparison"], found["records"], found["ids"], self.lake)

    def repairing(self, **params: Any) -> Iterator[str]:
        """The tasks after the conclusion."""
        results, repair = self.results, self.following
        results["proposal"] = propose_repair(results["conclude"], lake=self.lake, **params)
        yield "propose"
        if results["proposal"]["needs_consent"]:
            raise ApprovalRequired(results["proposal"]["description"])
        shards = self.plan_repair()
        yield "plan repair"
        if shards:
            repair.apply(shards)
        yield "apply"

    def plan_repair(self) -> list[dict[str, Any]]:
        """Plan the repair of what was found."""
        found = self.results
        return plan_repair(found["plan"]["comparison"], found["conclude"], "reconcile_index", "a test", self.lake)
