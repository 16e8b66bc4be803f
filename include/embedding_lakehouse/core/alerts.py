"""Alerts: what a task that failed for good means for a person, as a text that says what, since when, how bad, what to do."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from embedding_lakehouse.errors import (
    AlarmRaised,
    ApprovalRequired,
    AuditFailed,
    BudgetExceeded,
    ConfigurationError,
    InputError,
    LakehouseError,
    TransientError,
)

BLOCKED_BATCH, FAILED_TASK, WAITING = "blocked_batch", "failed_task", "waiting_for_approval"
LONGEST_DETAIL = 4_000
# What SNS takes as a subject, and what a mail's header holds without being folded.
LONGEST_TITLE = 100
# The checks of a batch are tasks of this group: each fails on its own, and `conclude` says what that means for the batch.
AUDIT_GROUP, CONCLUSION = "audit.", "audit.conclude"

IMPACTS = {
    BLOCKED_BATCH: "Main is as it was, and search answers from it. The profile gets no other batch until this one passes or is given up.",
    "drift": "Search can be expected to answer otherwise than before. No record was changed.",
    "low_fidelity": "Search can miss documents, or answer from past ones, until the index equals the record again.",
    "missed_freshness": "Search answers from texts that are older than declared.",
}
FAILED_IMPACTS = {
    "embed_documents": "What changed since the last published batch is not searchable yet; what is published stays as it is.",
    "ingest_documents": "The source is as the last finished ingestion left it; changes in the files since then are not seen.",
    "sync_index": "The index answers from its last finished sync; the record itself is right.",
    "rebuild_index": "The live release answers as before; the new one is unfinished.",
    "reconcile_index": "It is not known how far the index equals the record.",
    "set_up_lakehouse": "Tables, views or indexes may be older than this version needs; nothing was dropped.",
    "switch_release": "The chosen release may be live by its row already, while the alias leads to the one before; either answers in full.",
}
DEFAULT_IMPACT = "What is published stays as it is."
FAILED_ACTIONS: dict[type[LakehouseError], str] = {
    BudgetExceeded: "Raise the profile's budget, or leave it: the next run plans the batch again and embeds it when the budget allows.",
    ApprovalRequired: "Look at what it asks consent for; to consent, trigger the DAG with the Param that the message names.",
    ConfigurationError: "Change the setting that the message names, then clear the task. Trying again changes nothing before.",
    InputError: "Change the input that the message names, then clear the task. Trying again changes nothing before.",
    TransientError: "See that the system it names answers again, then clear the task, or leave it to the next run.",
}
DEFAULT_ACTION = "Read the task's log, remove the cause, then clear the task: what was staged is kept, no text is paid for twice."
BLOCKED_ACTION = (
    "Look at the offending rows: sql/dashboards/quality_over_time.sql shows them, lineage_of_batches.sql the batch. Mend the cause and "
    "clear the task, which audits again; or give the batch up: trigger embed_documents with discard_open."
)


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task that failed for good: where, in which run, after how many tries, with which error."""

    dag_id: str
    run_id: str
    task_id: str
    run_started_at: datetime | None
    tries: int = 1
    error: BaseException | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """What a person is told. `message` is the whole text, `title` a line of ASCII for a mail's subject.

    `alert_id` is the same for the same thing in the same run, so that it is told once; of a run's failed tasks the first one is told.
    """

    alert_id: str
    kind: str
    profile: str | None
    subject: str
    summary: str
    detail: str
    impact: str
    action: str
    dag_id: str
    run_id: str
    task_id: str
    address: str
    since_at: datetime | None = None

    @property
    def title(self) -> str:
        words = f"[{self.kind}] {self.summary}".encode("ascii", "replace").decode()
        return shortened(" ".join(words.split()), LONGEST_TITLE)

    @property
    def message(self) -> str:
        place = f"DAG {self.dag_id}, run {self.run_id}" + (f", task {self.task_id}" if self.task_id else "")
        parts = {
            "What": self.detail,
            "Since": f"{self.since_at:%Y-%m-%d %H:%M} UTC" if self.since_at else "",
            "How bad": self.impact,
            "What to do": self.action,
            "Where": "\n".join(filter(None, [place, self.address])),
        }
        return "\n\n".join([self.summary, *(f"{name}: {text}" for name, text in parts.items() if text)])


def alert_of(failed: FailedTask) -> Alert | None:
    """The alert that a failed task raises; none for one check of an audit, whose conclusion follows."""
    if failed.task_id.startswith(AUDIT_GROUP) and failed.task_id != CONCLUSION:
        return None
    for error in _causes(failed.error):
        if isinstance(error, AlarmRaised):
            return _alarm(failed, error)
        if isinstance(error, AuditFailed) and error.batch_id:
            return _blocked(failed, error, error.batch_id)
    return _failure(failed)


def unseen_failure(failed: FailedTask, tasks: list[str]) -> Alert:
    """The alert of a run of which no task could say that it failed: killed from outside, or gone with its machine."""
    named = ", ".join(tasks) or "no task, as it ran too long or had no task left to run"
    return replace(
        _failure(failed),
        summary=f"A run of {failed.dag_id} failed and no task told why",
        detail=f"failed: {named}. A task that is killed, or whose machine is gone, cannot tell; its log ends where it was.",
    )


def waiting_alert(dag_id: str, run_id: str, task_id: str, subject: str, plan: str, address: str) -> Alert:
    """The alert of a run that waits for a person to approve its plan."""
    return _alert(
        FailedTask(dag_id, run_id, task_id, None, address=address),
        kind=WAITING,
        profile=None,
        subject=task_id,
        summary=f"{dag_id} waits for approval: {subject}",
        detail=plan,
        impact="Nothing has changed. The run, and those of the same DAG after it, wait for the answer.",
        action="Read the plan, then approve or reject it in the Airflow UI: Required Actions of the run.",
    )


def trial_alert() -> Alert:
    """An alert about nothing, by which a setting is tried."""
    return replace(
        _failure(FailedTask("no DAG", "no run", "no task", None)),
        kind="trial",
        summary="A trial: alerts of the embedding lakehouse arrive here",
        detail="nothing failed",
        impact="not at all",
        action="nothing",
    )


def task_address(base_url: str, dag_id: str, run_id: str, task_id: str = "") -> str:
    """Where the Airflow UI shows a run, or a task of it; empty without a base URL."""
    if not base_url:
        return ""
    task = f"/tasks/{quote(task_id)}" if task_id else ""
    return f"{base_url.rstrip('/')}/dags/{quote(dag_id)}/runs/{quote(run_id)}{task}"


def shortened(text: str, longest: int) -> str:
    """The text, or its beginning where it is too long."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from: our tasks raise Airflow's errors from ours."""
    while error is not None:
        yield error
        error = error.__cause__


def _alarm(failed: FailedTask, alarm: AlarmRaised) -> Alert:
    name = alarm.kind.replace("_", " ").capitalize()
    return _alert(
        failed,
        kind=alarm.kind,
        profile=alarm.profile,
        subject=alarm.subject,
        summary=f"{name} of profile {alarm.profile}: {alarm.summary}",
        detail=f"{alarm.summary} ({alarm.subject})",
        impact=IMPACTS.get(alarm.kind, DEFAULT_IMPACT),
        action=alarm.action,
        since_at=alarm.since_at,
    )


def _blocked(failed: FailedTask, error: AuditFailed, batch_id: str) -> Alert:
    return _alert(
        failed,
        kind=BLOCKED_BATCH,
        profile=None,
        subject=batch_id,
        summary=f"Batch {batch_id} is blocked by its audit" + (f": {', '.join(error.checks)}" if error.checks else ""),
        detail=error.found,
        impact=IMPACTS[BLOCKED_BATCH],
        action="\n".join(f"- {way}" for way in error.ways_on) or BLOCKED_ACTION,
    )


def _failure(failed: FailedTask) -> Alert:
    error = next((cause for cause in _causes(failed.error) if isinstance(cause, LakehouseError)), failed.error)
    told = f"{type(error).__name__}: {error}" if error else "no error was told"
    tries = f" after {failed.tries} tries" if failed.tries > 1 else ""
    return _alert(
        failed,
        kind=FAILED_TASK,
        profile=None,
        subject=failed.task_id,
        summary=f"{failed.dag_id} failed in {failed.task_id}{tries}",
        detail=told,
        impact=FAILED_IMPACTS.get(failed.dag_id.partition("__")[0], DEFAULT_IMPACT),
        action=next((action for kind, action in FAILED_ACTIONS.items() if isinstance(error, kind)), DEFAULT_ACTION),
        since_at=failed.run_started_at,
    )


def _alert(failed: FailedTask, *, kind: str, profile: str | None, subject: str, detail: str, **told: Any) -> Alert:
    about = "" if kind == FAILED_TASK else f"{profile} {subject}"
    # A run that is cleared begins anew, and what fails then is told again.
    began = failed.run_started_at.isoformat() if failed.run_started_at else ""
    return Alert(
        alert_id=sha256("\n".join([failed.dag_id, failed.run_id, began, kind, about]).encode()).hexdigest()[:32],
        kind=kind,
        profile=profile,
        subject=subject,
        detail=shortened(detail, LONGEST_DETAIL),
        dag_id=failed.dag_id,
        run_id=failed.run_id,
        task_id=failed.task_id,
        address=failed.address,
        **told,
    )
