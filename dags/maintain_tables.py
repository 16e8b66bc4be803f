"""Keep the tables of the lake small, so that commits and plans cost in years what they cost now.

For each table (mapped): remove staged rows of finished work -> compact small files and manifests (Trino) -> tag what releases, receipts and
open batches need -> let older snapshots expire -> remove files that nothing needs. What was there before and after is a row of
embeddings_db.maintenance_runs. Scheduled runs act; by hand it is a dry run until told otherwise. It may run beside every other DAG.
"""

from typing import Any

from airflow.sdk import Param, dag

from embedding_lakehouse.schedules import daily
from embedding_lakehouse.settings import DAG_DEFAULTS
from embedding_lakehouse.task_errors import lakehouse_task

SIZE, DAYS = {"type": "integer", "minimum": 1}, {"type": "number", "minimum": 1}
PARAMS = {
    "dry_run": Param(True, type="boolean", title="Dry run", description="Only say what would be done. Scheduled runs do it."),
    "tables": Param(
        [],
        type="array",
        items={"type": "string"},
        title="Tables",
        description="Only these, as embeddings_db.document_embeddings; all if empty.",
    ),
    "target_megabytes": Param(128, **SIZE, title="Target file size in MB", description="Smaller data files are put together."),
    "small_files": Param(
        8,
        **SIZE,
        title="Small files that are worth a rewrite",
        description="So many in one partition; as many manifests, files of deletes.",
    ),
    "snapshot_days": Param(7, **DAYS, title="Days of snapshots", description="Every state of every table stays this long."),
    "receipt_days": Param(
        365, **DAYS, title="Days of receipts", description="So long an answer can be traced to the whole text and the release."
    ),
    "orphan_days": Param(3, **DAYS, title="Days of leftovers", description="A file, or staged rows, younger than that are never touched."),
}


@dag(schedule=daily(2, 30), max_active_runs=1, params=PARAMS, tags=["maintenance"], doc_md=__doc__, **DAG_DEFAULTS)
def maintain_tables():
    @lakehouse_task
    def plan_maintenance(params=None, dag_run=None, run_id=None) -> list[dict[str, Any]]:
        from embedding_lakehouse.steps.maintain_tables import planning

        return planning.plan_maintenance(params, dag_run.run_type == "scheduled", run_id)

    # Trino rewrites with all the memory that it has.
    @lakehouse_task(max_active_tis_per_dagrun=2, map_index_template="{{ task.op_kwargs['work']['table'] }}")
    def maintain_table(work: dict[str, Any], dag=None) -> dict[str, Any]:
        from embedding_lakehouse.steps.maintain_tables import maintaining

        return maintaining.maintain_table(**work, dag_id=dag.dag_id)

    @lakehouse_task
    def conclude_maintenance(run_id=None) -> dict[str, Any]:
        from embedding_lakehouse.steps.maintain_tables import concluding

        return concluding.conclude_maintenance(run_id)

    maintain_table.expand(work=plan_maintenance()) >> conclude_maintenance()


maintain_tables()
