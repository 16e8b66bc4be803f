"""What an alert says, which failures raise one, and which mistakes in the setting are named."""

from datetime import UTC, datetime

import pytest

from embedding_lakehouse.alert_listener import AlertListener
from embedding_lakehouse.clients.notifiers import build_notifier, reason
from embedding_lakehouse.core.alerts import Alert, FailedTask, alert_of, task_address, unseen_failure
from embedding_lakehouse.core.notifiers import NotifierSetting, parse_notifiers
from embedding_lakehouse.errors import (
    AlarmRaised,
    ApprovalRequired,
    AuditFailed,
    ConfigurationError,
    InputError,
    LakehouseError,
    TransientError,
)

NIGHT = datetime(2026, 1, 31, 2, 0, tzinfo=UTC)
BLOCKED_BATCH = "20260131T020000-abcdef"
BLOCKED = AuditFailed(
    f"batch {BLOCKED_BATCH} is blocked, main is as it was. no_vector_is_zero: 2 rows, such as [['a']]", BLOCKED_BATCH, ["no_vector_is_zero"]
)
SNS = "airflow.providers.amazon.aws.notifications.sns.SnsNotifier"


def failed(error: BaseException | None, task_id: str = "embed_chunks", **place: object) -> FailedTask:
    told = {"dag_id": "embed_documents", "run_id": "scheduled__a", "run_started_at": NIGHT, "address": "http://airflow/dags/a"}
    return FailedTask(**{**told, "task_id": task_id, "error": error, **place})


def raised(error: BaseException | None, task_id: str = "embed_chunks", **place: object) -> Alert:
    alert = alert_of(failed(error, task_id, **place))
    assert alert is not None
    return alert


def wrapped(error: Exception) -> Exception:
    """An error as our tasks raise it."""
    outer = RuntimeError("Airflow's own")
    outer.__cause__ = error
    return outer


def alarm(kind: str) -> AlarmRaised:
    return AlarmRaised(kind, "small", "m-17", NIGHT, "0.91 of the records equal their row", "trigger reconcile_index")


def test_a_blocked_batch_is_told_with_its_batch_check_and_what_to_do() -> None:
    alert = raised(wrapped(BLOCKED), "audit.conclude")
    assert (alert.kind, alert.subject) == ("blocked_batch", BLOCKED_BATCH)
    assert alert.summary == f"Batch {BLOCKED_BATCH} is blocked by its audit: no_vector_is_zero"
    for part in ("no_vector_is_zero: 2 rows", "main is as it was", "discard_open", "task audit.conclude", "http://airflow/dags/a"):
        assert part in alert.message


def test_what_to_do_about_a_blocked_batch_is_said_once() -> None:
    ways = ["look at the rows: select 1", "give the batch up: trigger embed_documents with discard_open"]
    error = AuditFailed("batch b-1 is blocked, main is as it was", "b-1", ["no_vector_is_zero"], ways)
    alert = raised(wrapped(error), "audit.conclude")
    assert [alert.message.count(text) for text in ("discard_open", "select 1", "main is as it was")] == [1, 1, 1]
    assert alert.action.splitlines() == [f"- {way}" for way in ways]
    assert all(way in str(error) for way in ways)


def test_the_checks_that_an_error_names_stand_in_the_first_line() -> None:
    error = AuditFailed("not so", "b-1", ["no_vector_is_zero", "every_vector_is_finite"])
    assert raised(error, "publish_batch").summary == "Batch b-1 is blocked by its audit: no_vector_is_zero, every_vector_is_finite"


def test_a_check_raises_no_alert_since_its_conclusion_does() -> None:
    assert alert_of(failed(wrapped(BLOCKED), "audit.no_vector_is_zero")) is None
    assert alert_of(failed(TransientError("Trino does not answer"), "audit.no_vector_is_zero")) is None


def test_an_audit_without_a_batch_is_a_failed_task() -> None:
    assert raised(AuditFailed("nothing was committed, so nothing was audited"), "audit.conclude").kind == "failed_task"


@pytest.mark.parametrize("kind", ["drift", "low_fidelity", "missed_freshness"])
def test_an_alarm_is_told_as_it_was_raised(kind: str) -> None:
    alert = raised(wrapped(alarm(kind)), "monitor", dag_id="monitor_embeddings")
    assert (alert.kind, alert.profile, alert.subject, alert.since_at) == (kind, "small", "m-17", NIGHT)
    assert alert.summary == f"{kind.replace('_', ' ').capitalize()} of profile small: 0.91 of the records equal their row"
    assert "Since: 2026-01-31 02:00 UTC" in alert.message
    assert "What to do: trigger reconcile_index" in alert.message


def test_how_bad_it_is_differs_by_kind_and_dag() -> None:
    kinds = [raised(alarm(kind)) for kind in ("drift", "low_fidelity", "missed_freshness")]
    dags = [raised(ValueError("x"), dag_id=dag) for dag in ("embed_documents", "sync_index", "ingest_documents", "rebuild_index")]
    assert len({alert.impact for alert in (raised(BLOCKED), *kinds, *dags)}) == 8


def test_a_switch_that_failed_does_not_claim_that_nothing_was_switched() -> None:
    alert = raised(TransientError("Pinecone is busy"), dag_id="switch_release")
    assert "may be live by its row already" in alert.impact


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (ConfigurationError("the connection is wrong"), "Change the setting"),
        (InputError("the row is wrong"), "Change the input"),
        (ApprovalRequired("9 documents are gone"), "Look at what it asks consent for"),
        (TransientError("Trino does not answer"), "See that the system it names answers"),
        (ValueError("a surprise"), "Read the task's log"),
        (None, "Read the task's log"),
    ],
)
def test_what_to_do_about_a_failed_task_depends_on_its_error(error: Exception | None, action: str) -> None:
    alert = raised(wrapped(error) if isinstance(error, LakehouseError) else error, tries=4)
    assert (alert.kind, alert.subject, alert.since_at) == ("failed_task", "embed_chunks", NIGHT)
    assert alert.summary == "embed_documents failed in embed_chunks after 4 tries"
    assert alert.action.startswith(action)
    assert not error or str(error) in alert.message


def test_failed_tasks_of_a_run_are_one_alert_and_those_of_the_next_another() -> None:
    first = raised(ValueError("x"))
    assert raised(TransientError("y"), "commit_embeddings").alert_id == first.alert_id
    assert raised(ValueError("x"), run_id="scheduled__b").alert_id != first.alert_id
    assert raised(ValueError("x"), run_started_at=NIGHT.replace(hour=9)).alert_id != first.alert_id
    assert raised(BLOCKED).alert_id != first.alert_id


def test_alarms_of_two_profiles_are_two_alerts() -> None:
    other = AlarmRaised("drift", "other", "m-17", NIGHT, "drift", "look")
    assert raised(other).alert_id != raised(alarm("drift")).alert_id


def test_a_title_is_one_short_line_of_ascii() -> None:
    alert = raised(AlarmRaised("drift", "größe\n", "m", None, "viel " * 50, "nichts"))
    assert alert.title.isascii()
    assert "\n" not in alert.title
    assert len(alert.title) == 100


def test_a_long_error_is_shortened() -> None:
    assert len(raised(ValueError("x" * 100_000)).message) < 6_000


def test_a_run_whose_tasks_could_not_tell_names_them() -> None:
    alert = unseen_failure(failed(None, "embed_chunks"), ["embed_chunks", "price_batch"])
    assert alert.summary == "A run of embed_documents failed and no task told why"
    assert "failed: embed_chunks, price_batch" in alert.message


def test_an_address_is_quoted_and_left_out_without_a_base() -> None:
    assert (
        task_address("http://a/", "d", "manual__2026-01-31T02:00:00+00:00")
        == "http://a/dags/d/runs/manual__2026-01-31T02%3A00%3A00%2B00%3A00"
    )
    assert task_address("", "d", "r") == ""


def test_no_setting_is_no_notifier() -> None:
    assert parse_notifiers("") == parse_notifiers("  ") == parse_notifiers("[]") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ('{"classpath": "a.B"}', "must be a JSON list"),
        ('["a.B"]', "entry 1 .* must be an object"),
        ('[{"classpath": "a.B"}, {"kwargs": {}}]', "entry 2 .* needs a classpath"),
        ('[{"classpath": "Notifier"}]', "entry 1 .* needs a classpath"),
        ('[{"classpath": "a.B", "kwargs": []}]', "entry 1 .* an object as kwargs"),
        ('[{"classpath": "a.B", "to": "me"}]', "entry 1 .* has 'to': .* arguments go into kwargs"),
    ],
)
def test_a_mistake_in_the_setting_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_notifiers(text)


@pytest.mark.parametrize(
    ("classpath", "kwargs", "message"),
    [
        ("airflow.providers.pager.Pager", {}, "there is no notifier airflow.providers.pager.Pager"),
        ("airflow.providers.amazon.aws.notifications.sns.SmsNotifier", {}, "there is no notifier"),
        ("collections.OrderedDict", {}, "is no Airflow notifier"),
        (SNS, {"topic": "alerts"}, r"does not take these kwargs: TypeError: .*target_arn"),
    ],
)
def test_a_notifier_that_cannot_be_made_is_named(classpath: str, kwargs: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build_notifier(NotifierSetting(classpath, kwargs))


def test_a_reason_has_no_address_in_it() -> None:
    said = reason(ValueError("Max retries exceeded with url: /services/T0/B0/secret\n(host='hooks.example', https://a:b@c/d?token=secret)"))
    assert said == "ValueError: Max retries exceeded with url: ... (host='hooks.example', ..."


class Instance:
    """A task instance that has nothing to tell of its run."""

    task_id = "embed_chunks"

    def __init__(self, owner: str, state: str) -> None:
        self.task = type("Task", (), {"owner": owner})
        self.state = state


@pytest.mark.parametrize(
    ("owner", "state", "error", "is_heard"),
    [
        ("embedding-lakehouse", "failed", ValueError("x"), True),
        ("embedding-lakehouse", "failed", None, True),
        ("somebody", "failed", ValueError("x"), False),
        ("embedding-lakehouse", "up_for_retry", ValueError("x"), False),
        ("embedding-lakehouse", "failed", "set to failed by hand", False),
    ],
)
def test_only_what_is_ours_and_failed_for_good_is_heard(
    owner: str, state: str, error: Exception | str | None, is_heard: bool, caplog: pytest.LogCaptureFixture
) -> None:
    AlertListener().on_task_instance_failed(task_instance=Instance(owner, state), error=error)
    assert ("The failure of embed_chunks could not be turned into an alert" in caplog.text) == is_heard
