"""What the scheduler sees of `ingest_documents`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from embedding_lakehouse.core.ingest_settings import IngestSettings

ROOT = Path(__file__).parents[2]
SHOW = """
import json, runpy, sys
dag = runpy.run_path("dags/ingest_documents.py")["ingest_documents"]()
heavy = {"pyarrow", "pyiceberg", "trino", "s3fs", "kreuzberg", "html_to_markdown"} & sys.modules.keys()
print(json.dumps({
    "schedule": dag.schedule and dag.schedule.summary,
    "params": {name: dag.params[name] for name in dag.params},
    "described": all(dag.params.get_param(name).description for name in dag.params),
    "runs": dag.max_active_runs,
    "edges": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
    "heavy": sorted(heavy),
}))
"""


def parsed(source: str) -> dict:
    """What a fresh interpreter reads in the DAG file of a deployment with that source."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include"), "EMBEDDING_LAKEHOUSE_SOURCE": source}
    shown = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(shown.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def scheduled() -> dict:
    return parsed("s3://documents/handbook")


@pytest.fixture(scope="module")
def unscheduled() -> dict:
    return parsed("")


def test_it_runs_daily_where_the_deployment_names_its_source(scheduled: dict) -> None:
    assert scheduled["schedule"] == "0 0 * * *"
    assert scheduled["params"]["source"] == "s3://documents/handbook"


def test_it_runs_by_hand_elsewhere(unscheduled: dict) -> None:
    assert unscheduled["schedule"] is None


def test_two_runs_never_overlap(scheduled: dict) -> None:
    assert scheduled["runs"] == 1


def test_every_param_is_described_and_a_setting(scheduled: dict) -> None:
    assert scheduled["described"]
    assert set(scheduled["params"]) == set(IngestSettings.__slots__)


def test_the_defaults_of_the_form_are_those_of_the_settings(scheduled: dict) -> None:
    assert IngestSettings.from_params(scheduled["params"]) == IngestSettings("s3://documents/handbook")


def test_parsing_the_file_imports_nothing_heavy(scheduled: dict) -> None:
    assert scheduled["heavy"] == []


def test_the_steps_follow_each_other(scheduled: dict) -> None:
    assert scheduled["edges"] == {
        "list_files": ["parse_files"],
        "parse_files": ["compare_documents"],
        "compare_documents": ["merge_documents"],
        "merge_documents": [],
    }
