"""Take published batches back: to a moment, or one batch alone while later good ones stay. No text is embedded.

Plan (Trino) -> approval in the UI, with the plan shown -> the ledger gets the versions that count again (one commit) -> the asset lets
sync_index follow by the difference. Nothing is taken from the history: undoing a roll-back is one more roll-back. What the source holds
meanwhile is found again by the next run of embed_documents: mend the source first.
"""

from typing import Any

from airflow.sdk import Param, dag

from embedding_lakehouse.approval import PlanApproval
from embedding_lakehouse.assets import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.task_errors import lakehouse_task

PARAMS = {
    "profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile that goes back."),
    "to": Param("", type="string", description="Go back to this moment: a batch id, a snapshot, or a time with its zone."),
    "without_batch": Param("", type="string", description="Or: undo this one batch and keep those after it."),
    "reason": Param("", type="string", description="Why; it stays with the batches."),
    "dry_run": Param(False, type="boolean", description="Only show the plan."),
    "ask": Param(True, type="boolean", description="Wait for approval in the UI before anything changes."),
}


@dag(schedule=None, max_active_runs=1, params=PARAMS, tags=["embeddings"], doc_md=__doc__, **DAG_DEFAULTS)
def roll_back_embeddings():
    @lakehouse_task
    def plan_roll_back(params=None) -> dict[str, Any]:
        from embedding_lakehouse.steps.roll_back_embeddings import planning

        return planning.plan_roll_back(params["profile"], params["to"], params["without_batch"], params["reason"], params["dry_run"])

    @lakehouse_task(outlets=[DOCUMENT_EMBEDDINGS])
    def apply_roll_back(plan: dict[str, Any], dag=None, run_id=None) -> str:
        from embedding_lakehouse.steps.roll_back_embeddings import applying

        return applying.apply_roll_back(plan, dag.dag_id, run_id)

    plan = plan_roll_back()
    approve = PlanApproval(
        task_id="approve_roll_back",
        subject="Roll back embeddings of profile {{ params.profile }}",
        body="{{ ti.xcom_pull(task_ids='plan_roll_back')['description'] }}",
        is_needed="{{ params.ask and not ti.xcom_pull(task_ids='plan_roll_back')['is_begun'] }}",
    )
    plan >> approve >> apply_roll_back(plan)


roll_back_embeddings()
