"""A planned sync as tasks: write what is new, verify it, remove what is gone, record it. Used by every DAG that writes to an index."""

from typing import Any

from airflow.sdk import task_group

from embedding_lakehouse.task_errors import lakehouse_task


@task_group
def apply_sync(shards: Any) -> Any:
    """Apply the shards of a plan (mapped); the id of the recorded sync. A plan without shards skips everything here."""

    @lakehouse_task
    def upsert_records(shard: dict[str, Any]) -> dict[str, Any]:
        from embedding_lakehouse.steps.sync_index import writing

        return writing.upsert_records(shard)

    @lakehouse_task
    def verify_records(shards: list[dict[str, Any]], upserted: list[dict[str, Any]]) -> int:
        from embedding_lakehouse.steps.sync_index import closing

        return closing.verify_records(shards, upserted)

    @lakehouse_task
    def delete_records(shard: dict[str, Any]) -> dict[str, Any]:
        from embedding_lakehouse.steps.sync_index import writing

        return writing.delete_records(shard)

    @lakehouse_task
    def record_sync(shards: list[dict[str, Any]], upserted: list[dict[str, Any]], deleted: list[dict[str, Any]]) -> str:
        from embedding_lakehouse.steps.sync_index import closing

        return closing.record_sync(shards, upserted, deleted)

    upserted = upsert_records.expand(shard=shards)
    deleted = delete_records.expand(shard=shards)
    verify_records(shards, upserted) >> deleted
    return record_sync(shards, upserted, deleted)
