"""`ingest_documents` as Airflow runs it."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from dev.stack import Stack
from tests.ingest_runner import Ingestion

FILE = Path(__file__).parents[3] / "dags" / "ingest_documents.py"


@pytest.fixture(scope="module")
def dag(airflow_database: Path, lake_environment: Stack) -> DAG:
    return runpy.run_path(str(FILE))["ingest_documents"]()


def states(dag: DAG, **params: Any) -> dict[str, str]:
    """The states of a run's tasks, `task` or `task[map index]`, by name."""
    run = dag.test(run_conf=params)
    return {
        f"{task.task_id}[{task.map_index}]" if task.map_index >= 0 else task.task_id: str(task.state) for task in run.get_task_instances()
    }


def test_documents_come_in_and_a_quiet_run_skips_what_follows_the_listing(dag: DAG, ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.md").write_text("one")
    assert states(dag, source=str(folder)) == {
        "list_files": "success",
        "parse_files[0]": "success",
        "compare_documents": "success",
        "merge_documents": "success",
    }
    assert ingestion.texts() == {"a.md": "one"}
    quiet = states(dag, source=str(folder))
    assert quiet.pop("list_files") == "success"
    assert set(quiet.values()) == {"skipped"}


def test_a_run_that_changes_no_document_skips_its_asset(dag: DAG, ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.md").write_bytes(b"\xff")
    run = states(dag, source=str(folder))
    assert (run["compare_documents"], run["merge_documents"]) == ("success", "skipped")
    assert ingestion.codes() == {"a.md": "broken_encoding"}


def test_a_missing_folder_fails_at_once(dag: DAG, ingestion: Ingestion, tmp_path: Path) -> None:
    run = states(dag, source=str(tmp_path / "missing"))
    assert run["list_files"] == "failed"
    assert ingestion.documents() == {}
