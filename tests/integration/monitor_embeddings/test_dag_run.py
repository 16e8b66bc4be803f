"""The DAG as Airflow runs it: skipped over an empty lake, green over an ordinary one, red by name where something must be looked at."""

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest

from embedding_lakehouse.core.monitoring_tables import DRIFT_MEASURES, DRIFT_VERDICTS
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS
from tests.drift_fixtures import Monitoring, moment

DAG_FILE = Path(__file__).parents[3] / "dags" / "monitor_embeddings.py"
MEASURES = {f"measure.measure_{name}" for name in ("documents", "texts", "vectors", "models", "provider", "index")}


@pytest.fixture(autouse=True)
def in_airflow(airflow_database: Path) -> None:
    """A database for Airflow."""


def run_dag(profile: str) -> dict[str, set[str]]:
    """One run of the DAG; the tasks by their state."""
    from airflow.dag_processing.dagbag import DagBag

    states = defaultdict[str, set[str]](set)
    for instance in DagBag(DAG_FILE).dags["monitor_embeddings"].test(run_conf={"profile": profile}).get_task_instances():
        states[str(instance.state)].add(instance.task_id)
    return dict(states)


def test_an_empty_lake_is_skipped_an_ordinary_one_is_green_and_a_waiting_document_is_red(monitoring: Monitoring) -> None:
    assert run_dag(monitoring.profile).keys() == {"skipped"}

    monitoring.embed({"a": "Alpha is the first.", "b": "Beta is the second."})
    lake = monitoring.lake
    waiting = {"doc_id": "c", "document_text": "Gamma.", "content_hash": "c", "updated_at": moment(-4_000)}
    table = lake.table(SOURCE_DOCUMENTS)
    table.append(pa.Table.from_pylist([waiting], schema=table.schema().as_arrow()))
    states = run_dag(monitoring.profile)
    assert states["failed"] == {"documents_are_fresh"}
    alarms = {"retrieval_has_not_drifted", "index_equals_the_record"}
    assert states["success"] == {"plan_comparison", "sample_states", "conclude_comparison", *MEASURES, *alarms}
    (row,) = lake.table(DRIFT_VERDICTS).scan().to_arrow().to_pylist()
    assert (row["is_drift"], row["dag_id"], row["document_count"]) == (False, "monitor_embeddings", 2)
    assert lake.table(DRIFT_MEASURES).scan().count() > 0
