"""Erase documents for good: from the source, every version and chunk, every index, and every file of the lake; or lift what refuses them.

Plan (a dry run, the default, ends here) -> approval in the UI -> tombstones, by hashes alone -> purchases in bulk withdrawn from the
providers' accounts -> tables rewritten in every branch and tag, old snapshots and files removed -> records removed from every release ->
every remaining file read for what is left -> accounts looked at once more -> certificate. Killed anywhere, the next run finishes it. What
it cannot reach is listed in the plan and in the certificate.
"""

from typing import Any

from airflow.sdk import Param, dag

from embedding_lakehouse.approval import PlanApproval
from embedding_lakehouse.erasure_group import erase_everywhere
from embedding_lakehouse.settings import DAG_DEFAULTS
from embedding_lakehouse.task_errors import lakehouse_task

PARAMS = {
    "doc_ids": Param([], type="array", items={"type": "string"}, description="The documents by their ids."),
    "doc_id_prefix": Param("", type="string", description="Or: documents whose id begins so,"),
    "source_uri_prefix": Param("", type="string", description="and whose file or object begins so,"),
    "metadata_field": Param("", type="string", description="and whose metadata has a field of this name"),
    "metadata_value": Param("", type="string", description="with this value."),
    "requested_by": Param("", type="string", description="Who asked for it; kept with the erasure."),
    "reason": Param("", type="string", description="Why, such as a ticket's number; kept, so it may not name the document."),
    "despite_holds": Param([], type="array", items={"type": "string"}, description="Holds that do not keep these documents from it."),
    "dry_run": Param(True, type="boolean", description="Only show the plan."),
    "lift": Param(False, type="boolean", description="Instead: let the documents of doc_ids, forgotten before, be ingested again."),
}


@dag(schedule=None, max_active_runs=1, params=PARAMS, tags=["documents"], doc_md=__doc__, **DAG_DEFAULTS)
def forget_documents():
    @lakehouse_task
    def plan_erasure(params=None) -> dict[str, Any]:
        from embedding_lakehouse.steps.forget_documents import planning

        return planning.plan_erasure(params)

    @lakehouse_task
    def begin_erasure(plan: dict[str, Any], approved_by: str, params=None, run_id=None) -> str:
        from embedding_lakehouse.steps.forget_documents import beginning

        return beginning.begin_erasure(plan, params, approved_by, run_id)

    plan = plan_erasure()
    approve = PlanApproval(
        task_id="approve_erasure",
        subject="Erase documents for good",
        body="{{ ti.xcom_pull(task_ids='plan_erasure')['description'] }}",
        is_needed="{{ not ti.xcom_pull(task_ids='plan_erasure')['is_begun'] }}",
        when_approved=lambda context, by: context["ti"].xcom_push("approved_by", by),
    )
    begun = begin_erasure(plan, "{{ ti.xcom_pull(task_ids='approve_erasure', key='approved_by') or '' }}")
    plan >> approve >> begun
    erase_everywhere(begun)


forget_documents()
