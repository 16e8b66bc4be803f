"""The listener that hears of failures in our DAGs. Where nothing of ours failed it costs a comparison and imports nothing."""

import json
import logging
import subprocess
import sys
from typing import Any

from airflow.listeners import hookimpl

from embedding_lakehouse.settings import OWNER

logger = logging.getLogger(__name__)


class AlertListener:
    """Turns a task of ours that failed for good into an alert, in the task's own process; in the scheduler it looks after those that
    could not tell.
    """

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """A component starts; a task's process, which is forked from the scheduler's, counts as one."""
        if not (_is_scheduler() and type(component).__name__ == "Job"):
            return
        try:
            from embedding_lakehouse.alerting import check_notifiers

            check_notifiers()
        except Exception:
            logger.exception("The setting of alerts could not be checked")

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: BaseException | str | None) -> None:
        """A try failed. A text as error comes from the scheduler or the API server, which also say that the run failed."""
        owner = getattr(getattr(task_instance, "task", None), "owner", None)
        if owner != OWNER or task_instance.state != "failed" or isinstance(error, str):
            return
        try:
            _tell(task_instance, error)
        except Exception:
            logger.exception("The failure of %s could not be turned into an alert", task_instance.task_id)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """A run failed; heard in the scheduler, and where a person sets the state, who needs no alert."""
        if not _is_scheduler() or getattr(dag_run.dag, "owner", None) != OWNER:
            return
        try:
            _look_after(dag_run)
        except Exception:
            logger.exception("Nobody looks whether the failure of run %s was told", dag_run.run_id)


def _is_scheduler() -> bool:
    return sys.argv[1:2] == ["scheduler"]


def _tell(task_instance: Any, error: BaseException | None) -> None:
    # Before the first failure none of this is needed.
    from embedding_lakehouse.core.alerts import FAILED_TASK, FailedTask, alert_of

    run = task_instance.get_template_context()["dag_run"]
    failed = FailedTask(
        dag_id=task_instance.dag_id,
        run_id=task_instance.run_id,
        task_id=task_instance.task_id,
        run_started_at=run.start_date,
        tries=task_instance.try_number,
        error=error,
        address=task_instance.log_url,
    )
    if alert := alert_of(failed):
        from embedding_lakehouse.alerting import raise_alert

        is_one_of_many = task_instance.map_index is not None and task_instance.map_index >= 0
        raise_alert(alert, must_be_first=is_one_of_many and alert.kind == FAILED_TASK)


def _look_after(dag_run: Any) -> None:
    """In a process of its own: the scheduler must not wait for the lake, and forks its workers, which threads could harm.

    Nothing here may ask the metadata database: the scheduler's session would be closed under it, which ends the scheduler.
    """
    began = dag_run.start_date.isoformat() if dag_run.start_date else None
    run = {"dag_id": dag_run.dag_id, "run_id": dag_run.run_id, "run_started_at": began}
    command = [sys.executable, "-m", "embedding_lakehouse.unseen_failures", json.dumps(run)]
    subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
