"""Filling a fresh namespace as tasks: each shard by upserts, or exported for a bulk import that is awaited without a worker."""

from typing import Any

from airflow.sdk import TriggerRule, task_group

from embedding_lakehouse.task_errors import lakehouse_sensor, lakehouse_task

# One of two ways is taken and the other skipped; a dry run skips both, and with them what follows.
ONE_WAY = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS


@task_group
def fill_release(shards: Any) -> Any:
    """Fill the release from the shards of its plan (mapped) and record what it holds; its id."""

    @lakehouse_task
    def fill_shard(shard: dict[str, Any]) -> dict[str, Any]:
        from embedding_lakehouse.steps.rebuild_index import filling

        return filling.fill_shard(shard)

    @lakehouse_task
    def start_import(shards: list[dict[str, Any]]) -> str:
        from embedding_lakehouse.steps.rebuild_index import filling

        return filling.start_import(shards)

    @lakehouse_sensor(poke_interval=30, timeout=24 * 3600)
    def await_import(import_id: str, shards: list[dict[str, Any]]) -> bool:
        from embedding_lakehouse.steps.rebuild_index import filling

        return filling.await_import(import_id, shards)

    @lakehouse_task(trigger_rule=ONE_WAY)
    def record_fill(shards: list[dict[str, Any]]) -> str:
        from embedding_lakehouse.steps.rebuild_index import filling

        return filling.record_fill(shards)

    filled, started, recorded = fill_shard.expand(shard=shards), start_import(shards), record_fill(shards)
    filled >> [started, recorded]
    await_import(started, shards) >> recorded
    return recorded
