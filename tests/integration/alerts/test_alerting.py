"""Alerts as they are recorded in a real catalog and sent by Airflow's own notifiers to real receivers."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from dev.stack.catalog import catalog_properties, create_catalog
from embedding_lakehouse.__main__ import main
from embedding_lakehouse.alerting import raise_alert
from embedding_lakehouse.clients.alerts import AlertRecord
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.alerts import Alert, FailedTask, alert_of
from embedding_lakehouse.core.monitoring_tables import ALERTS, QUALITY_RESULTS
from embedding_lakehouse.core.notifiers import NotifierSetting
from embedding_lakehouse.errors import AlarmRaised, AuditFailed, LakehouseError
from embedding_lakehouse.unseen_failures import tell_unseen
from tests.alert_receivers import (
    MAIL,
    QUIET,
    MailServer,
    Topic,
    closed_address,
    mail_server,
    silent_address,
    topic,
    web_connection,
    webhook,
    webhook_server,
)

NIGHT = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)
DRIFT = AlarmRaised("drift", "small", "m-17", NIGHT, "provider change; canary cosine fell to 0.953", "pin the provider's version")
BLOCKED = AuditFailed("batch b-7 is blocked, main is as it was. no_vector_is_zero: 2 rows", "b-7", ["no_vector_is_zero"])


def alert(error: Exception = DRIFT, run_id: str = "a run", **place: Any) -> Alert:
    told = {"dag_id": "monitor_embeddings", "task_id": "conclude", "run_started_at": NIGHT, "error": error, "address": "http://airflow"}
    found = alert_of(FailedTask(run_id=run_id, **{**told, **place}))
    assert found is not None
    return found


def settings(*entries: dict[str, Any]) -> list[NotifierSetting]:
    return [NotifierSetting(**entry) for entry in entries]


@pytest.fixture(scope="module")
def sns() -> Iterator[Topic]:
    with topic() as found:
        yield found


@pytest.fixture
def receiver(sns: Topic, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """A topic with nothing in it, behind the connection `aws_alerts`."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_ALERTS", sns.connection())
    sns.arrived()
    return sns


@pytest.fixture
def record(tmp_path: Path) -> AlertRecord:
    """The record of alerts in a catalog of the test's own, in which no table exists yet."""
    create_catalog(tmp_path)
    return AlertRecord(load_catalog("iceberg_default", **catalog_properties(tmp_path)))


def recorded(record: AlertRecord) -> list[dict[str, Any]]:
    return record.catalog.load_table(ALERTS.name).scan().to_arrow().to_pylist()


def unreachable() -> AlertRecord:
    raise LakehouseError("the catalog does not answer")


def test_what_arrives_is_what_is_recorded(record: AlertRecord, receiver: Topic) -> None:
    raise_alert(alert(), record=lambda: record, notifiers=settings(receiver.setting()))
    (row,) = recorded(record)
    assert receiver.arrived() == [(alert().title, row["message"])]
    assert {key: row[key] for key in ("kind", "profile", "subject", "since_at", "dag_id", "run_id", "task_id")} == {
        "kind": "drift",
        "profile": "small",
        "subject": "m-17",
        "since_at": NIGHT,
        "dag_id": "monitor_embeddings",
        "run_id": "a run",
        "task_id": "conclude",
    }


def test_a_mail_has_the_title_as_its_subject(record: AlertRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_ALERTS", server.connection())
        to = {"to": "team@example.com", "from_email": "lakehouse@example.com", "smtp_conn_id": "smtp_alerts"}
        told = {"subject": "{{ alert.title }}", "html_content": "<pre>{{ alert.message | e }}</pre>"}
        raise_alert(alert(), record=lambda: record, notifiers=settings({"classpath": MAIL, "kwargs": to | told}))
        assert [mail["Subject"] for mail in server.mails] == [alert().title]
        assert "canary cosine fell to 0.953" in text_of(server)


def text_of(server: MailServer) -> str:
    (part,) = [part for part in server.mails[0].walk() if part.get_content_maintype() == "text"]
    return part.get_payload(decode=True).decode()


def test_a_webhook_s_path_comes_from_its_connection(record: AlertRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook_server() as (address, posts):
        monkeypatch.setenv("AIRFLOW_CONN_WEB_ALERTS", web_connection(address))
        raise_alert(alert(), record=lambda: record, notifiers=settings(webhook("web_alerts")))
    assert posts == [("/services/a-secret", {"text": recorded(record)[0]["message"]})]


def test_a_document_s_text_in_an_alert_is_never_taken_for_a_template(record: AlertRecord, receiver: Topic) -> None:
    raise_alert(alert(LakehouseError("such as {{ alert.kind }} {% raw %}")), record=lambda: record, notifiers=settings(receiver.setting()))
    ((_, message),) = receiver.arrived()
    assert "such as {{ alert.kind }} {% raw %}" in message


def test_one_that_fails_and_one_that_hangs_do_not_stop_the_others(
    record: AlertRecord, receiver: Topic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with silent_address() as silent, caplog.at_level(logging.INFO):
        monkeypatch.setenv("AIRFLOW_CONN_CLOSED", web_connection(closed_address()))
        monkeypatch.setenv("AIRFLOW_CONN_SILENT", web_connection(silent))
        wanted = settings(webhook("closed"), webhook("silent"), {"classpath": "no.such.Notifier"}, receiver.setting())
        ends = raise_alert(alert(), record=lambda: record, notifiers=wanted, seconds=8)
    assert [type(end).__name__ for end in ends.values()] == ["ConnectionError", "TimeoutError", "ConfigurationError", "NoneType"]
    assert len(receiver.arrived()) == len(recorded(record)) == 1
    said = [line for line in caplog.messages if line.startswith("Notifier")]
    assert [line.partition(" did")[0] for line in said] == [f"Notifier {name}" for name in list(ends)[:3]]
    assert "a-secret" not in caplog.text


def test_an_alert_that_cannot_be_recorded_is_sent_all_the_same(receiver: Topic, caplog: pytest.LogCaptureFixture) -> None:
    raise_alert(alert(), record=unreachable, notifiers=settings(receiver.setting()))
    assert len(receiver.arrived()) == 1
    assert "could not be recorded in the lake: LakehouseError: the catalog does not answer" in caplog.text


def test_of_many_mapped_tasks_none_is_sent_that_cannot_be_recorded(receiver: Topic) -> None:
    assert raise_alert(alert(), must_be_first=True, record=unreachable, notifiers=settings(receiver.setting())) is None
    assert receiver.arrived() == []


def test_the_same_is_told_once_however_many_hear_of_it(record: AlertRecord, receiver: Topic) -> None:
    def tell(number: int) -> None:
        own = AlertRecord(load_catalog("iceberg_default", **record.catalog.properties))
        raised = alert(ValueError(f"task {number}"), task_id=f"task {number}")
        raise_alert(raised, record=lambda: own, notifiers=settings(receiver.setting()), seconds=60)

    ensure_table(record.catalog, ALERTS)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(tell, range(6)))
    assert [row["message"] for row in recorded(record)] == [message for _, message in receiver.arrived()]
    assert len(recorded(record)) == 1


def test_a_run_that_was_cleared_is_told_again(record: AlertRecord, receiver: Topic) -> None:
    for hours in (0, 0, 1):
        raised = alert(run_started_at=NIGHT + timedelta(hours=hours))
        raise_alert(raised, record=lambda: record, notifiers=settings(receiver.setting()))
    assert len(receiver.arrived()) == len(recorded(record)) == 2


def test_a_blocked_batch_is_told_since_its_audit_first_failed(record: AlertRecord, receiver: Topic) -> None:
    ensure_table(record.catalog, QUALITY_RESULTS)
    rows = [
        {"batch_id": batch, "profile": "small", "verdict": verdict, "checked_at": NIGHT + timedelta(hours=hours)}
        for batch, verdict, hours in (("b-7", "passed", 0), ("b-7", "failed", 3), ("b-7", "failed", 9), ("b-6", "failed", 1))
    ]
    table = record.catalog.load_table(QUALITY_RESULTS.name)
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    raise_alert(alert(BLOCKED), record=lambda: record, notifiers=settings(receiver.setting()))
    (row,) = recorded(record)
    assert (row["kind"], row["subject"], row["profile"], row["since_at"]) == ("blocked_batch", "b-7", "small", NIGHT + timedelta(hours=3))
    assert "Since: 2026-01-31 05:00 UTC" in receiver.arrived()[0][1]


def test_without_a_setting_an_alert_is_recorded_and_logged(
    record: AlertRecord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("EMBEDDING_LAKEHOUSE_NOTIFIERS", raising=False)
    assert raise_alert(alert(), record=lambda: record) == {}
    assert recorded(record)[0]["message"] in caplog.text


def test_a_wrong_setting_is_named_and_the_alert_recorded(
    record: AlertRecord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_NOTIFIERS", "[{}]")
    assert raise_alert(alert(), record=lambda: record) == {}
    assert len(recorded(record)) == 1
    assert "sent to nobody: entry 1 of EMBEDDING_LAKEHOUSE_NOTIFIERS needs a classpath" in caplog.text


def test_a_run_that_nobody_told_is_told_once(record: AlertRecord, receiver: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_NOTIFIERS", json.dumps([receiver.setting()]))
    run = {"dag_id": "embed_documents", "run_id": "a run", "run_started_at": NIGHT.isoformat()}
    assert [tell_unseen(run, ["embed_chunks"], lambda: record) for _ in range(2)] == [True, False]
    ((_, message),) = receiver.arrived()
    assert "no task told why" in message
    assert "failed: embed_chunks" in message


def test_a_run_that_its_task_told_is_not_told_again(record: AlertRecord) -> None:
    run = {"dag_id": "monitor_embeddings", "run_id": "a run", "run_started_at": NIGHT.isoformat()}
    raise_alert(alert(), record=lambda: record, notifiers=[])
    assert tell_unseen(run, ["conclude"], lambda: record) is False
    assert tell_unseen(run | {"run_id": "another run"}, [], lambda: record) is True
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert tell_unseen(run | {"run_started_at": later}, [], lambda: record) is True


def test_the_command_sends_a_trial_and_names_who_did_not_get_it(
    receiver: Topic, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_NOTIFIERS", json.dumps([receiver.setting()]))
    assert main(["try-alerts"]) == 0
    ((subject, _),) = receiver.arrived()
    assert subject.startswith("[trial] ")
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_NOTIFIERS", json.dumps([receiver.setting(), {"classpath": "no.such.Notifier"}]))
    assert main(["try-alerts"]) == 1
    assert "2. no.such.Notifier: ConfigurationError: there is no notifier" in capsys.readouterr().out


def test_what_the_command_prints_has_no_secret_in_it() -> None:
    own = {"AIRFLOW_CONN_CLOSED": web_connection(closed_address()), "EMBEDDING_LAKEHOUSE_NOTIFIERS": json.dumps([webhook("closed")])}
    command = [sys.executable, "-m", "embedding_lakehouse", "try-alerts"]
    told = subprocess.run(command, env=os.environ | QUIET | own, capture_output=True, text=True, check=False)
    assert (told.returncode, "HttpNotifier: ConnectionError" in told.stdout) == (1, True)
    assert "a-secret" not in told.stdout + told.stderr


def test_the_command_says_that_nobody_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.delenv("EMBEDDING_LAKEHOUSE_NOTIFIERS", raising=False)
    assert main(["try-alerts"]) == 1
    assert "EMBEDDING_LAKEHOUSE_NOTIFIERS names nobody" in capsys.readouterr().err
