"""The purchase in bulk as tasks before `embed_chunks`: which shards, and for each of them a task that waits without a worker."""

from typing import Any

from airflow.sdk import BaseOperator, TriggerRule

from embedding_lakehouse.settings import profiles
from embedding_lakehouse.task_errors import lakehouse_task, with_named_ends

# What follows a purchase that may have been skipped: it runs unless something failed, and is skipped where everything is.
AFTER_BULK = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS


def buy_in_bulk(shards: Any, approved: Any) -> Any:
    """Tasks that buy the new texts of an approved batch in bulk where its profile says so; the last one, for what follows.

    Where no profile ever does there are none. A run may be triggered for another profile than its DAG's, so any profile counts.
    """
    if not any(profile.bulk.above_texts for profile in profiles().values()):
        return approved

    @lakehouse_task
    def plan_bulk(shards: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.embed_documents import bulk_buying

        return bulk_buying.plan_bulk(shards)

    planned = plan_bulk(shards)
    bought = BuyInBulk.partial(task_id="buy_in_bulk").expand_kwargs(planned)
    # What is refused skips only what follows right behind it.
    approved >> planned
    return [approved, bought]


class BuyInBulk(BaseOperator):
    """Goes on with the jobs of one shard, and sleeps in the triggerer until there is more to do: any try picks up what is there."""

    template_fields = ("batch_id", "shard", "shards")

    def __init__(self, *, batch_id: str, shard: int, shards: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.shard = shard
        self.shards = shards

    def execute(self, context: Any) -> dict[str, int]:
        """What was bought, as `bulk_buying.buy_in_bulk` counts it."""
        return self.resume(context)

    def resume(self, context: Any, event: Any = None) -> dict[str, int]:
        """As `execute`. What the event says is looked up again, since it may be old."""
        from embedding_lakehouse.bulk_trigger import BulkTrigger
        from embedding_lakehouse.steps.embed_documents import bulk_buying

        found = with_named_ends(bulk_buying.buy_in_bulk)(self.batch_id, self.shard, self.shards)
        if isinstance(found, bulk_buying.Waiting):
            self.defer(trigger=BulkTrigger(**found._asdict()), method_name="resume")
        return found
