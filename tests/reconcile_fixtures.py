"""A reconciliation of a profile's index in one call, as the DAG runs it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.errors import ApprovalRequired, NothingToDo, TransientError
from embedding_lakehouse.steps.reconcile_index.comparing import compare_part
from embedding_lakehouse.steps.reconcile_index.concluding import conclude_reconciliation
from embedding_lakehouse.steps.reconcile_index.planning import plan_reconciliation
from embedding_lakehouse.steps.reconcile_index.repairing import plan_repair, propose_repair
from embedding_lakehouse.steps.sync_index.closing import record_sync, verify_records
from embedding_lakehouse.steps.sync_index.writing import delete_records, upsert_records
from tests.index_fixtures import Following


@dataclass
class Reconciling:
    """The reconciliations of an index; `settle` is how many seconds a difference may be due to writes that are not yet visible."""

    following: Following
    settle: float = 0
    tries: int = 10
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
        results = self.results
        results.clear()
        results["plan"] = plan_reconciliation(self.following.profile.name, compare, sample_share, "reconcile_index", "a test", self.lake)
        yield "plan"
        results["records"] = [self.compare(part) for part in results["plan"] if "shard" in part]
        yield "records"
        results["ids"] = [self.compare(part) for part in results["plan"] if "ids" in part]
        yield "ids"
        self.conclude()
        yield "conclude"

    def compare(self, part: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Compare a part, or another one like it."""
        return self._tried(compare_part, part | changes, self.lake, self.following.service, self.settle)

    def conclude(self) -> None:
        """Sum up what the tasks before found."""
        found = self.results["records"] + self.results["ids"]
        self.results["conclude"] = conclude_reconciliation(self.results["plan"], found, self.lake)

    def repairing(self, **params: Any) -> Iterator[str]:
        """The tasks after the conclusion."""
        results = self.results
        results["proposal"] = propose_repair(results["conclude"], lake=self.lake, **params)
        yield "propose"
        if results["proposal"]["needs_consent"]:
            raise ApprovalRequired(results["proposal"]["description"])
        shards = self.plan_repair()
        yield "plan repair"
        if shards:
            self._apply(shards)
        yield "apply"

    def plan_repair(self) -> list[dict[str, Any]]:
        """Plan the repair of what was found."""
        return plan_repair(self.results["conclude"], "reconcile_index", "a test", self.lake)

    def _apply(self, shards: list[dict[str, Any]]) -> None:
        lake, service = self.lake, self.following.service
        upserted = [self._tried(upsert_records, shard, lake, service) for shard in shards]
        self._tried(verify_records, shards, upserted, lake, service)
        deleted = [self._tried(delete_records, shard, lake, service) for shard in shards]
        record_sync(shards, upserted, deleted, lake)

    def _tried(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """What a task of that step returns, which Airflow tries again."""
        again = Retrying(retry=retry_if_exception_type(TransientError), stop=stop_after_attempt(self.tries), reraise=True)
        return again(step, *arguments)
