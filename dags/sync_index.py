"""Let the index follow the lake: only what changed since the last recorded sync is written or removed.

Difference (Trino) -> upsert each shard (mapped, vectors from the lake's files) -> verify -> delete what is gone (mapped) -> record.
An index that is up to date plans no shards, and everything after the plan is skipped without a call to it. Whatever is killed, the next
run makes good for it: the watermark moves last. After a rollback of the lake the same difference leads back.
"""

from typing import Any

from airflow.sdk import Param, dag

from embedding_lakehouse.assets import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.task_errors import lakehouse_task

PARAMS = {"profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile whose live release follows.")}


@dag(schedule=[DOCUMENT_EMBEDDINGS], max_active_runs=1, params=PARAMS, tags=["index"], doc_md=__doc__, **DAG_DEFAULTS)
def sync_index():
    @lakehouse_task
    def plan_sync(params=None, dag=None, run_id=None) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.sync_index import planning

        return planning.plan_sync(params["profile"], dag.dag_id, run_id)

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

    shards = plan_sync()
    upserted = upsert_records.expand(shard=shards)
    deleted = delete_records.expand(shard=shards)
    verify_records(shards, upserted) >> deleted
    record_sync(shards, upserted, deleted)


sync_index()
