"""Measure how far the embeddings drifted from a baseline, and say from which cause: source, chunking, model, provider or index.

Pin both states, draw a sample of their chunks (Trino) -> measure documents, texts, vectors, models, provider and index side by side ->
one verdict, as a row and a sentence -> what must be looked at fails its own task. After each publish the batch before is the baseline,
daily the state of a week ago; while drift lasts, the state before it. Where nothing was ever embedded, everything is skipped.
"""

from typing import Any

from airflow.sdk import Param

from embedding_lakehouse.assets import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.measure_group import measure
from embedding_lakehouse.profile_dags import profile_dag
from embedding_lakehouse.schedules import daily
from embedding_lakehouse.settings import DAG_DEFAULTS, default_profile, profiles
from embedding_lakehouse.task_errors import lakehouse_task

# After the nightly comparison of the index with the record.
DAILY = daily(6, assets=DOCUMENT_EMBEDDINGS)
PARAMS = {
    "profile": Param(default_profile(), enum=list(profiles()), description="The embedding profile whose current state is measured."),
    "baseline": Param("batch", type="string", description="batch (the rule of scheduled runs), a time, a batch id, or a release id."),
    "accept": Param("", type="string", description="Why what differs is meant: from now on this state is compared with, without alarm."),
}


@profile_dag(schedule=DAILY, max_active_runs=1, params=PARAMS, tags=["monitoring"], doc_md=__doc__, **DAG_DEFAULTS)
def monitor_embeddings():
    @lakehouse_task
    def plan_comparison(params=None, dag_run=None) -> dict[str, Any]:
        from embedding_lakehouse.steps.monitor_embeddings import planning

        return planning.plan_comparison(params["profile"], params["baseline"], params["accept"], dag_run.run_type == "scheduled")

    @lakehouse_task
    def sample_states(comparison: dict[str, Any]) -> dict[str, Any]:
        from embedding_lakehouse.steps.monitor_embeddings import planning

        return planning.sample_states(comparison)

    @lakehouse_task
    def conclude_comparison(comparison: dict[str, Any], measured: list[Any], dag=None, run_id=None) -> str:
        from embedding_lakehouse.steps.monitor_embeddings import concluding

        return concluding.conclude_comparison(comparison, measured, dag.dag_id, run_id)

    @lakehouse_task
    def retrieval_has_not_drifted(monitor_id: str) -> None:
        from embedding_lakehouse.steps.monitor_embeddings import alarming

        alarming.retrieval_has_not_drifted(monitor_id)

    @lakehouse_task
    def index_equals_the_record(params=None) -> None:
        from embedding_lakehouse.steps.monitor_embeddings import alarming

        alarming.index_equals_the_record(params["profile"])

    @lakehouse_task
    def documents_are_fresh(params=None) -> None:
        from embedding_lakehouse.steps.monitor_embeddings import alarming

        alarming.documents_are_fresh(params["profile"])

    planned = plan_comparison()
    sampled = sample_states(planned)
    retrieval_has_not_drifted(conclude_comparison(sampled, measure(sampled)))
    planned >> [index_equals_the_record(), documents_are_fresh()]


monitor_embeddings()
