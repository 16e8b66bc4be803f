"""The demonstration's last look: the index compared with the record, and what drift monitoring says of the state that was reached."""

from dev.demo.airflow_api import AirflowApi
from dev.demo.lake import newest_row
from embedding_lakehouse.core.index_tables import INDEX_RECONCILIATIONS
from embedding_lakehouse.core.monitoring_tables import DRIFT_VERDICTS

DAGS = ["reconcile_index", "monitor_embeddings"]


def watch(airflow: AirflowApi) -> list[str]:
    """Compare the index with the record and measure drift, each by its DAG; what both concluded, as sentences."""
    # Unpaused only now: before, each of the demonstration's batches would have called for a measurement of its own.
    airflow.await_dags(DAGS)
    for dag_id in DAGS:
        airflow.trigger(dag_id)
    compared, measured = newest_row(INDEX_RECONCILIATIONS, "finished_at"), newest_row(DRIFT_VERDICTS, "measured_at")
    return [f"{compared['fidelity']:.2%} of {compared['expected_count']:,} records equal their row in the lake", measured["verdict"]]
