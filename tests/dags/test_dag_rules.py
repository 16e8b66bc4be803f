"""What holds for every DAG: how it is named, what it says of itself, what its tasks do on failure, and what parsing it costs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from embedding_lakehouse.core.lineage import FLOWS
from embedding_lakehouse.settings import checks

ROOT = Path(__file__).parents[2]
DAG_FILES = sorted(file.stem for file in (ROOT / "dags").glob("*.py"))
# They read and write what only travels between tasks, what is outside, or every table there is.
APART = {
    *("create_tables", "create_views", "create_indexes", "list_files", "parse_files", "compare_documents"),
    *(
        "plan_bulk",
        "buy_in_bulk",
        "continue_backlog",
        "delete_records",
        "await_import",
        "approve_plan",
        "approve_roll_back",
        "approve_repair",
        "approve_erasure",
    ),
    *("plan_maintenance", "maintain_table", "hold_documents", "erase_index", "withdraw_purchases", "withdraw_late_purchases"),
}
SHOW = """
import json, runpy, sys
from datetime import timedelta
name = sys.argv[1]
found = runpy.run_path(f"dags/{name}.py")
dag = found[name]()
timetable = getattr(dag.schedule, "timetable", dag.schedule)
heavy = {"pyarrow", "pyiceberg", "trino", "pinecone", "pandas", "numpy", "boto3", "openai", "wordllama"} & sys.modules.keys()
print(json.dumps({
    "dag_id": dag.dag_id,
    "doc": dag.doc_md,
    "tags": sorted(dag.tags),
    "runs": dag.max_active_runs,
    "catchup": dag.catchup,
    "is_text": isinstance(dag.schedule, str),
    "is_scheduled": dag.schedule is not None,
    "time": getattr(timetable, "_expression", ""),
    "patience": getattr(timetable, "_run_immediately", timedelta(0)).total_seconds(),
    "retries": {task.task_id: task.retries for task in dag.tasks},
    "undescribed": [param for param in dag.params if not dag.params.get_param(param).description],
    "consents": {param: dag.params[param] for param in dag.params if param.startswith(("allow_", "discard_"))},
    "heavy": sorted(heavy),
}))
"""


@pytest.fixture(scope="module", params=DAG_FILES)
def dag(request: pytest.FixtureRequest) -> dict:
    """What a fresh interpreter reads in a DAG file, with the file's name."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    command = [sys.executable, "-c", SHOW, request.param]
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(shown.stdout.splitlines()[-1]) | {"file": request.param}


def test_there_are_the_dags_of_the_main_job() -> None:
    assert {"set_up_lakehouse", "ingest_documents", "embed_documents", "sync_index"} <= set(DAG_FILES)


def test_file_and_dag_have_the_same_name(dag: dict) -> None:
    assert dag["dag_id"] == dag["file"]


def test_it_tells_its_story_and_has_tags(dag: dict) -> None:
    assert len(dag["doc"].strip().splitlines()) > 1
    assert dag["tags"]


def test_its_runs_never_overlap_and_never_catch_up(dag: dict) -> None:
    assert (dag["runs"], dag["catchup"]) == (1, False)


def test_a_dag_that_is_switched_on_waits_for_its_time(dag: dict) -> None:
    assert (dag["is_text"], dag["patience"]) == (False, 0)


def test_what_runs_by_itself_has_a_time_too(dag: dict) -> None:
    # Where a run failed for good, or died before its asset's event, no event tells the next DAG.
    assert bool(dag["time"]) == dag["is_scheduled"]


def test_every_task_is_tried_again(dag: dict) -> None:
    assert set(dag["retries"].values()) == {3}


def test_every_param_is_described(dag: dict) -> None:
    assert dag["undescribed"] == []


def test_what_destroys_something_is_off_until_somebody_consents(dag: dict) -> None:
    assert set(dag["consents"].values()) <= {False}


def test_parsing_it_imports_nothing_heavy(dag: dict) -> None:
    assert dag["heavy"] == []


def test_every_task_is_in_the_lineage_or_moves_nothing_that_lasts(dag: dict) -> None:
    tasks = {name.rpartition(".")[2] for name in dag["retries"]}
    assert tasks - FLOWS.keys() - checks().keys() <= APART
