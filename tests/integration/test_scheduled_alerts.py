"""Alerts under a real scheduler: what fails for good in our DAGs arrives once at a real receiver, what fails elsewhere never."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from dev.demo.airflow_api import AirflowApi
from dev.stack import Stack, StackError
from dev.stack.catalog import catalog_properties
from dev.stack.component import ROOT
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.monitoring_tables import ALERTS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, EMBEDDING_BATCHES, Table
from embedding_lakehouse.steps.set_up import create_tables
from tests.alert_receivers import QUIET, Topic, closed_address, topic, web_connection, webhook
from tests.batches import put_documents

DAGS = Path(__file__).parent / "alert_dags"
FAILING = ["embed_documents", "raise_alarms", "fail_again", "fail_elsewhere"]
KILLED = "kill_itself"
AIRFLOW = ("trino", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
TEXT = "The lamp turns every ten seconds."
SECONDS = 240

Row = dict[str, Any]


@dataclass
class Failed:
    """What became of one run of each DAG: their tasks by state, the alerts that were recorded, the messages that arrived."""

    stack: Stack
    airflow: AirflowApi
    receiver: Topic
    tasks: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    arrived: list[tuple[str, str]] = field(default_factory=list)

    @property
    def lake(self) -> Lake:
        """The stack's lake; nothing here asks its SQL engine."""
        return Lake(load_catalog("iceberg_default", **catalog_properties(self.stack.home)), SqlEngine("none", lambda: None))

    def rows(self, table: Table, **equal: Any) -> list[Row]:
        rows = self.lake.table(table).scan().to_arrow().to_pylist()
        return [row for row in rows if all(row[column] == value for column, value in equal.items())]

    def run(self, dag_id: str) -> None:
        """Trigger a DAG and follow it to its end, which is a failure."""
        with pytest.raises(StackError, match=f"{dag_id} failed in"):
            self.airflow.trigger(dag_id)
        self.tasks[dag_id] = self.airflow.task_states(dag_id, str(self.airflow.last_run(dag_id)))

    def run_all(self) -> None:
        """One run of each; the killed one last, so that whoever looks after the runs has looked after all when it is told."""
        for dag_id in (*FAILING, KILLED):
            self.run(dag_id)
        deadline = time.monotonic() + SECONDS
        while not self.rows(ALERTS, dag_id=KILLED) and time.monotonic() < deadline:
            time.sleep(1)
        while len(self.arrived) < len(self.rows(ALERTS)) and time.monotonic() < deadline:
            self.arrived += self.receiver.arrived()
            time.sleep(1)

    def message(self, dag_id: str) -> str:
        """The text that arrived about a DAG, which must be one."""
        (found,) = [message for _, message in self.arrived if f"DAG {dag_id}," in message]
        return found


def folder_of_dags(folder: Path) -> Path:
    """The DAGs of these tests beside the real one that a bad batch blocks."""
    folder.mkdir()
    for file in [ROOT / "dags" / "embed_documents.py", *DAGS.glob("*.py")]:
        (folder / file.name).write_text(file.read_text())
    return folder


def put_what_blocks(lake: Lake) -> None:
    """A document, and a stray row of its chunk: the batch's chunk would be there twice."""
    create_tables(lake=lake)
    put_documents(lake, {"a.md": TEXT})
    table = lake.table(DOCUMENT_EMBEDDINGS)
    version = settings.profile(settings.default_profile()).model_version
    stray = {"doc_id": "a.md", "chunk_id": chunk_id("a.md", TEXT), "model_version": version, "batch_id": "of nobody"}
    table.append(pa.Table.from_pylist([stray], schema=table.schema().as_arrow()))


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failed]:
    home = tmp_path_factory.mktemp("alerts")
    with topic() as receiver:
        own = QUIET | {
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder_of_dags(home / "dags")),
            # What a task's process may take for its alert: more than by default, for a machine that has other work to do.
            "AIRFLOW__CORE__TASK_SUCCESS_OVERTIME": "45",
            "AIRFLOW_CONN_AWS_ALERTS": receiver.connection(),
            "AIRFLOW_CONN_CLOSED": web_connection(closed_address()),
            "EMBEDDING_LAKEHOUSE_NOTIFIERS": json.dumps([webhook("closed"), receiver.setting(), {"classpath": "no.such.Notifier"}]),
        }
        with Stack(home / "stack", settings=own) as stack:
            stack.start(AIRFLOW)
            airflow = AirflowApi(stack, report=print)
            airflow.await_dags([*FAILING, KILLED])
            failed = Failed(stack, airflow, receiver)
            put_what_blocks(failed.lake)
            failed.run_all()
            yield failed


def test_a_blocked_batch_is_told_once_with_its_batch_check_and_what_to_do(failed: Failed) -> None:
    (batch,) = failed.rows(EMBEDDING_BATCHES)
    message = failed.message("embed_documents")
    for part in (batch["batch_id"], "no_chunk_is_committed_twice", "discard_open", "task audit.conclude", "/dags/embed_documents/runs/"):
        assert part in message
    (row,) = failed.rows(ALERTS, dag_id="embed_documents")
    assert (row["kind"], row["subject"], row["profile"], row["message"]) == (
        "blocked_batch",
        batch["batch_id"],
        batch["profile"],
        message,
    )


def test_an_alert_changes_nothing_in_the_run(failed: Failed) -> None:
    states = failed.tasks["embed_documents"]
    assert states["failed"] == {"audit.no_chunk_is_committed_twice", "audit.conclude"}
    assert states["upstream_failed"] == {"publish_batch", "continue_backlog"}
    assert failed.tasks["raise_alarms"] == {"failed": {"conclude"}}


def test_an_alarm_of_each_kind_is_told_once(failed: Failed) -> None:
    rows = failed.rows(ALERTS, dag_id="raise_alarms")
    assert sorted((row["kind"], row["subject"]) for row in rows) == [
        (kind, f"subject of {kind}") for kind in ("drift", "low_fidelity", "missed_freshness")
    ]


def test_mapped_tasks_that_fail_are_told_once_and_after_the_last_try(failed: Failed) -> None:
    assert "fail_again failed in embed_chunks after 2 tries" in failed.message("fail_again")
    assert "the model did not answer at try 2" in failed.message("fail_again")


def test_a_killed_task_is_told_by_who_looks_after_the_run(failed: Failed) -> None:
    assert "no task told why" in failed.message("kill_itself")
    assert "failed: vanish" in failed.message("kill_itself")


def test_a_failure_of_others_is_not_told(failed: Failed) -> None:
    assert failed.tasks["fail_elsewhere"] == {"failed": {"fail"}}
    assert failed.rows(ALERTS, dag_id="fail_elsewhere") == []


def test_everything_recorded_arrived_beside_a_notifier_that_fails_and_one_that_does_not_exist(failed: Failed) -> None:
    assert sorted(row["message"] for row in failed.rows(ALERTS)) == sorted(message for _, message in failed.arrived)
    assert len(failed.arrived) == 6


def test_no_log_has_the_secret_of_a_webhook(failed: Failed) -> None:
    logs = list((failed.stack.home / "airflow" / "logs").rglob("*.log")) + list((failed.stack.home / "logs").glob("*.log"))
    texts = [log.read_text(errors="replace") for log in logs]
    assert any("HttpNotifier did not send the alert" in text for text in texts)
    assert not any("a-secret" in text for text in texts)


def test_the_scheduler_says_once_what_is_wrong_with_the_setting(failed: Failed) -> None:
    log = failed.stack.programs.log("airflow-scheduler").read_text()
    assert log.count("Alerts will not be sent as wanted: there is no notifier no.such.Notifier") == 1
