"""The DAG as Airflow runs it."""

from pathlib import Path

import pytest

from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, SOURCE_DOCUMENTS
from tests.maintenance_fixtures import Maintaining

DAGS = Path(__file__).parents[3] / "dags"


def test_it_maps_over_the_tables_and_records_each(airflow_database: Path, maintaining: Maintaining) -> None:
    from airflow.dag_processing.dagbag import DagBag

    from embedding_lakehouse.clients.maintenance_runs import maintenance_rows

    asked = {"tables": [DOCUMENT_VERSIONS.name, SOURCE_DOCUMENTS.name], "dry_run": False}
    run = DagBag(DAGS / "maintain_tables.py").dags["maintain_tables"].test(run_conf=asked)
    instances = sorted((instance.task_id, str(instance.state)) for instance in run.get_task_instances())
    assert instances == [("conclude_maintenance", "success"), *[("maintain_table", "success")] * 2, ("plan_maintenance", "success")]
    named = {instance.rendered_map_index for instance in run.get_task_instances() if instance.task_id == "maintain_table"}
    assert named == set(asked["tables"])
    rows = {row["table_name"]: row for row in maintenance_rows(maintaining.lake, run.run_id)}
    assert rows.keys() == set(asked["tables"])
    assert {(row["is_dry_run"], row["dag_id"]) for row in rows.values()} == {(False, "maintain_tables")}


def test_a_table_that_is_not_ours_is_refused(airflow_database: Path) -> None:
    from embedding_lakehouse.errors import InputError
    from embedding_lakehouse.steps.maintain_tables.planning import plan_maintenance

    with pytest.raises(InputError, match="there is no table"):
        plan_maintenance({"tables": ["other_db.theirs"]}, False, "a run")
