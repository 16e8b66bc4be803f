"""Compare what the index really holds with the record, by id and content, and repair what differs.

Plan (Trino) -> fetch each shard's records, list all ids by their first character (mapped) -> one row of fidelity -> a repair, above a
declared limit after approval in the UI -> applied as a sync. An index that equals the record ends after the conclusion. A listing that
was not read to its end never leads to a delete.
"""

from airflow.sdk import Param

from embedding_lakehouse.approval import PlanApproval
from embedding_lakehouse.profile_dags import profile_dag
from embedding_lakehouse.schedules import daily
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.sync_group import apply_sync
from embedding_lakehouse.task_errors import lakehouse_task

PARAMS = {
    "profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile whose live release is compared."),
    "compare": Param("all", enum=["all", "sample"], description="Fetch all records, or a sample of them; ids are compared all the same."),
    "sample_share": Param(0.05, type="number", exclusiveMinimum=0, maximum=1, description="The share of the records that a sample has."),
    "repair": Param("auto", enum=["auto", "never"], description="Repair what differs, or only compare (a dry run)."),
    "repair_limit": Param(0.01, type="number", minimum=0, maximum=1, description="The share of the records to repair without asking."),
    "ask": Param(True, type="boolean", description="Wait for approval in the UI above the limit; off for who has seen the plan."),
}


@profile_dag(schedule=daily(4), max_active_runs=1, params=PARAMS, tags=["index"], doc_md=__doc__, **DAG_DEFAULTS)
def reconcile_index():
    @lakehouse_task
    def plan_reconciliation(params=None, dag=None, run_id=None) -> list[dict]:
        from embedding_lakehouse.steps.reconcile_index import planning

        return planning.plan_reconciliation(params["profile"], params["compare"], params["sample_share"], dag.dag_id, run_id)

    @lakehouse_task
    def compare_part(part: dict) -> dict:
        from embedding_lakehouse.steps.reconcile_index import comparing

        return comparing.compare_part(part)

    @lakehouse_task
    def conclude_reconciliation(parts: list[dict], found: list[dict]) -> dict:
        from embedding_lakehouse.steps.reconcile_index import concluding

        return concluding.conclude_reconciliation(parts, found)

    @lakehouse_task
    def propose_repair(figures: dict, params=None) -> dict:
        from embedding_lakehouse.steps.reconcile_index import repairing

        return repairing.propose_repair(figures, params["repair"], params["repair_limit"], params["ask"])

    @lakehouse_task
    def plan_repair(figures: dict, dag=None, run_id=None) -> list[dict]:
        from embedding_lakehouse.steps.reconcile_index import repairing

        return repairing.plan_repair(figures, dag.dag_id, run_id)

    parts = plan_reconciliation()
    figures = conclude_reconciliation(parts, compare_part.expand(part=parts))
    approve = PlanApproval(
        task_id="approve_repair",
        subject="Repair the index of profile {{ params.profile }}",
        body="{{ ti.xcom_pull(task_ids='propose_repair')['description'] }}",
        is_needed="{{ ti.xcom_pull(task_ids='propose_repair')['needs_consent'] }}",
    )
    shards = plan_repair(figures)
    propose_repair(figures) >> approve >> shards
    apply_sync.override(group_id="repair")(shards)


reconcile_index()
