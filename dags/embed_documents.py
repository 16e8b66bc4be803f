"""Embed every document that changed since the last published batch.

Detect, plan, chunk and price (Trino) -> approval in the UI, only above the profile's limits -> embed each shard (mapped) -> commit to a
branch, audit, publish (PyIceberg, Trino). An unchanged corpus plans no shards, and everything after the plan is skipped. A batch that a
run left behind is resumed, and a backlog larger than one batch triggers the next run by itself. A failed check leaves main untouched and
names the rows; a person then mends, accepts or discards the batch. Each profile has its own DAG.
"""

from typing import Any

from airflow.sdk import Param

from embedding_lakehouse.assets import DOCUMENT_EMBEDDINGS, EMBEDDING_BACKLOG, SOURCE_DOCUMENTS
from embedding_lakehouse.audit_group import audit
from embedding_lakehouse.bulk_group import AFTER_BULK, buy_in_bulk
from embedding_lakehouse.plan_group import plan
from embedding_lakehouse.profile_dags import profile_dag
from embedding_lakehouse.schedules import daily
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.task_errors import lakehouse_task

NIGHTLY = daily(2, assets=SOURCE_DOCUMENTS | EMBEDDING_BACKLOG)
PARAMS = {
    "profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile whose vectors are brought up to date."),
    "dry_run": Param(False, type="boolean", description="Only show the plan: documents, chunks, tokens, price, time."),
    "allow_deletes": Param(
        False, type="boolean", description="Consent to more deletes than the profile's delete_share, without being asked."
    ),
    "discard_open": Param(False, type="boolean", description="Give up a batch that a run left behind or that is blocked; it is paid anew."),
    "accept_checks": Param([], type="array", items={"type": "string"}, description="Let the blocked batch pass although it fails these."),
    "accept_reason": Param("", type="string", description="Why it may pass; recorded with its results."),
}


@profile_dag(params=PARAMS, schedule=NIGHTLY, max_active_runs=1, tags=["embeddings"], doc_md=__doc__, **DAG_DEFAULTS)
def embed_documents():
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

    shards, approved = plan()
    embedded = embed_chunks.expand_kwargs(shards)
    committed = commit_embeddings(shards)
    buy_in_bulk(shards, approved) >> embedded >> committed
    continue_backlog(publish_batch(audit(committed)))


embed_documents()
