"""Embed every document that changed since the last published batch.

Detect and plan (Trino) -> chunk, price, embed each shard (mapped) -> commit to a branch, audit, publish (PyIceberg, Trino).
An unchanged corpus plans no shards, and everything after the plan is skipped. A batch that a run left behind is resumed, and a backlog
larger than one batch triggers the next run by itself. A failed check leaves main untouched and names the rows; a person then mends,
accepts or discards the batch.
"""

from typing import Any

from airflow.sdk import Param, dag
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable

from embedding_lakehouse.assets import DOCUMENT_EMBEDDINGS, EMBEDDING_BACKLOG, SOURCE_DOCUMENTS
from embedding_lakehouse.audit_group import audit
from embedding_lakehouse.bulk_group import AFTER_BULK, buy_in_bulk
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.task_errors import lakehouse_task

NIGHTLY = AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 2 * * *", timezone="UTC"), assets=SOURCE_DOCUMENTS | EMBEDDING_BACKLOG)
PARAMS = {
    "profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile whose vectors are brought up to date."),
    "allow_deletes": Param(False, type="boolean", description="Consent to more deletes than the profile's delete_share."),
    "discard_open": Param(False, type="boolean", description="Give up a batch that a run left behind or that its audit blocked."),
    "accept_checks": Param([], type="array", items={"type": "string"}, description="Let the blocked batch pass although it fails these."),
    "accept_reason": Param("", type="string", description="Why it may pass; recorded with its results."),
}


@dag(schedule=NIGHTLY, max_active_runs=1, params=PARAMS, tags=["embeddings"], doc_md=__doc__, **DAG_DEFAULTS)
def embed_documents():
    @lakehouse_task
    def detect_changes(params: dict[str, Any] | None = None) -> dict[str, Any]:
        from embedding_lakehouse.steps.embed_documents import planning

        return planning.detect_changes(params["profile"])

    @lakehouse_task
    def plan_batch(changes: dict[str, Any], params=None, dag=None, run_id=None, dag_run=None) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.embed_documents import planning

        return planning.plan_batch(
            params["profile"], changes, dag.dag_id, run_id, params["allow_deletes"], params["discard_open"], asked=params, run=dag_run
        )

    @lakehouse_task
    def chunk_documents(batch_id: str, shard: int) -> dict[str, Any]:
        from embedding_lakehouse.steps.embed_documents import chunking

        return chunking.chunk_documents(batch_id, shard)

    @lakehouse_task
    def price_batch(chunked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.embed_documents import planning

        return planning.price_batch(chunked)

    @lakehouse_task(trigger_rule=AFTER_BULK)
    def embed_chunks(batch_id: str, shard: int, shards: int) -> dict[str, int]:
        from embedding_lakehouse.steps.embed_documents import embedding

        return embedding.embed_chunks(batch_id, shard, shards)

    @lakehouse_task
    def commit_embeddings(shards: list[dict[str, Any]]) -> str:
        from embedding_lakehouse.steps.embed_documents import publishing

        return publishing.commit_embeddings(shards[0]["batch_id"])

    @lakehouse_task(outlets=[DOCUMENT_EMBEDDINGS])
    def publish_batch(batch_id: str) -> dict[str, Any]:
        from embedding_lakehouse.steps.embed_documents import publishing

        return publishing.publish_batch(batch_id)

    @lakehouse_task(outlets=[EMBEDDING_BACKLOG])
    def continue_backlog(published: dict[str, Any]) -> None:
        from embedding_lakehouse.steps.embed_documents import publishing

        publishing.require_backlog(published)

    shards = price_batch(chunk_documents.expand_kwargs(plan_batch(detect_changes())))
    embedded = embed_chunks.expand_kwargs(shards)
    committed = commit_embeddings(shards)
    buy_in_bulk(shards) >> embedded >> committed
    continue_backlog(publish_batch(audit(committed)))


embed_documents()
