"""No Param that takes text is forgotten by the hostile ones, and nothing that anybody wrote is rendered as a template."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from embedding_lakehouse.approval import PlanApproval
from embedding_lakehouse.clients.notifiers import send_alert
from embedding_lakehouse.core.alerts import FailedTask, alert_of, waiting_alert
from embedding_lakehouse.core.notifiers import NotifierSetting
from embedding_lakehouse.errors import InputError
from tests.hostile_params import ENTRIES
from tests.hostile_values import TEMPLATE

ROOT = Path(__file__).parents[2]
# What Airflow renders although it came from a task before: only what this package makes itself.
KEYS = {"batch_id", "ingest_id", "shard", "shards"}
SHOW = """
import inspect, json, runpy
from pathlib import Path
from airflow.sdk.definitions._internal.expandinput import ListOfDictsExpandInput
from airflow.sdk.definitions.mappedoperator import MappedOperator
GIVEN = {"params", "dag", "dag_run", "run_id", "ti"}
shown = {}
for file in sorted(Path("dags").glob("*.py")):
    dag = runpy.run_path(str(file))[file.stem]()
    params = {name: dag.params.get_param(name).schema for name in dag.params}
    mapped = [task for task in dag.tasks if isinstance(task, MappedOperator)]
    rendered = [task for task in mapped if isinstance(task._get_specified_expand_input(), ListOfDictsExpandInput)]
    named = {task.task_id: sorted(set(inspect.signature(task.python_callable).parameters) - GIVEN) for task in rendered}
    approvals = [[task.task_id, task.subject, task.body] for task in dag.tasks if task.task_type == "PlanApproval"]
    shown[file.stem] = {"params": params, "rendered": named, "approvals": approvals}
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def dags() -> dict[str, dict[str, Any]]:
    """What a fresh interpreter reads in the DAG files."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    shown = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(shown.stdout.splitlines()[-1])


class FileNotifier(BaseNotifier):
    """Writes what it is to send into a file."""

    template_fields = ("text",)

    def __init__(self, file: str, text: str) -> None:
        super().__init__()
        self.file, self.text = file, text

    def notify(self, context: Any) -> None:
        Path(self.file).write_text(self.text)


def is_free_text(schema: dict[str, Any]) -> bool:
    """Whether a Param may hold any text: of type string, a list of such, or of no declared type."""
    kinds = schema.get("type", "string")
    return "enum" not in schema and bool({"string", "array", "object"} & set([kinds] if isinstance(kinds, str) else kinds))


def test_every_param_that_takes_text_is_in_the_table_of_hostile_ones(dags: dict[str, dict[str, Any]]) -> None:
    declared = {(dag, name) for dag, shown in dags.items() for name, schema in shown["params"].items() if is_free_text(schema)}
    known = {(dag, name) for dag, entry in ENTRIES.items() for name in (*entry.names, *entry.texts, *entry.others)}
    assert declared - known == set(), "name these Params in tests/hostile_params.py"
    assert known - declared <= {(dag, name) for dag in ENTRIES for name in ("profile", "method")}


def test_a_profile_and_whatever_else_has_few_values_is_declared_with_them(dags: dict[str, dict[str, Any]]) -> None:
    profiles = {dag: shown["params"]["profile"] for dag, shown in dags.items() if "profile" in shown["params"]}
    assert len(profiles) >= 8 and all("enum" in schema for schema in profiles.values())


def test_airflow_renders_nothing_of_a_task_before_but_keys(dags: dict[str, dict[str, Any]]) -> None:
    """`expand` takes values as they are; those of `expand_kwargs` are rendered, which Airflow 3.3 does without saying so."""
    rendered = {(dag, task): set(names) for dag, shown in dags.items() for task, names in shown["rendered"].items()}
    assert rendered
    assert {place: names - KEYS for place, names in rendered.items() if names - KEYS} == {}


def test_a_plan_with_a_template_in_it_is_shown_as_it_is(dags: dict[str, dict[str, Any]]) -> None:
    class Instance:
        def xcom_pull(self, **where: Any) -> dict[str, str]:
            return dict.fromkeys(("description", "needs_consent", "needs_approval", "is_begun"), TEMPLATE)

    approvals = [approval for shown in dags.values() for approval in shown["approvals"]]
    assert len(approvals) >= 3
    for task_id, subject, body in approvals:
        operator = PlanApproval(task_id=task_id, subject=subject, body=body)
        operator.render_template_fields({"params": {"profile": TEMPLATE}, "ti": Instance()})
        assert operator.body == TEMPLATE
        assert operator.subject.endswith(TEMPLATE) if "{{" in subject else operator.subject == subject


def test_an_alert_with_a_template_in_it_is_sent_as_it_is(tmp_path: Path) -> None:
    failed = FailedTask("rebuild_index", "a run", "plan_rebuild", None, error=InputError(f"there is no release {TEMPLATE}"))
    alerts = [alert_of(failed), waiting_alert("embed_documents", "a run", "approve_plan", TEMPLATE, TEMPLATE, "")]
    for number, alert in enumerate(alerts):
        assert alert is not None
        file = tmp_path / f"{number}.txt"
        send_alert(NotifierSetting(f"{__name__}.FileNotifier", {"file": str(file), "text": "{{ alert.message }}"}), alert)
        assert file.read_text() == alert.message
        assert TEMPLATE in alert.message
