"""The plan of a batch as tasks: what changed, which documents, their chunks, the price; then a person's approval where it is needed."""

from typing import Any

from airflow.sdk import task_group

from embedding_lakehouse.approval import PlanApproval
from embedding_lakehouse.task_errors import lakehouse_task


@task_group(prefix_group_id=False)
def plan() -> Any:
    """Detect the changes, plan a batch of them, chunk and price it; its embedding shards, and the task that waits for approval."""

    @lakehouse_task
    def detect_changes(params: Any = None) -> dict[str, Any]:
        from embedding_lakehouse.steps.embed_documents import planning

        return planning.detect_changes(params["profile"])

    @lakehouse_task
    def plan_batch(
        changes: dict[str, Any], params: Any = None, dag: Any = None, run_id: Any = None, dag_run: Any = None
    ) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.embed_documents import planning

        return planning.plan_batch(params["profile"], changes, dag.dag_id, run_id, params["discard_open"], asked=params, run=dag_run)

    @lakehouse_task
    def chunk_documents(batch_id: str, shard: int) -> dict[str, Any]:
        from embedding_lakehouse.steps.embed_documents import chunking

        return chunking.chunk_documents(batch_id, shard)

    @lakehouse_task
    def price_batch(chunked: list[dict[str, Any]], params: Any = None, run_id: Any = None, ti: Any = None) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.embed_documents import planning

        priced = planning.price_batch(chunked, params["allow_deletes"], params["dry_run"], run_id)
        ti.xcom_push("plan", {"description": priced.description, "needs_approval": priced.needs_approval})
        return priced.shards

    shards = price_batch(chunk_documents.expand_kwargs(plan_batch(detect_changes())))
    approve = PlanApproval(
        task_id="approve_plan",
        subject="Embed documents under profile {{ params.profile }}",
        body="{{ ti.xcom_pull(task_ids='price_batch', key='plan')['description'] }}",
        is_needed="{{ ti.xcom_pull(task_ids='price_batch', key='plan')['needs_approval'] }}",
        when_approved=_approve,
        when_refused=_refuse,
    )
    shards >> approve
    return shards, approve


def _approve(context: Any, by: str) -> None:
    from embedding_lakehouse.steps.embed_documents import planning

    planning.approve_batch(_batch_id(context), by)


def _refuse(context: Any, by: str) -> None:
    from embedding_lakehouse.steps.embed_documents import planning

    planning.refuse_batch(_batch_id(context), by)


def _batch_id(context: Any) -> str:
    return str(context["ti"].xcom_pull(task_ids="price_batch")[0]["batch_id"])
