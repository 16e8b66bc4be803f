"""The net below the listener: `python -m embedding_lakehouse.unseen_failures RUN` raises an alert for a failed run that raised none.

A task that is killed from outside, or whose machine is gone, hears nothing itself. The scheduler starts this for every failed run.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from airflow.configuration import conf
from airflow.sdk import TaskInstanceState

from embedding_lakehouse.alerting import raise_alert
from embedding_lakehouse.clients.alerts import AlertRecord, alert_record
from embedding_lakehouse.core.alerts import FailedTask, task_address, unseen_failure

logger = logging.getLogger(__name__)


def tell_unseen(run: dict[str, Any], tasks: list[str], record: Callable[[], AlertRecord] = alert_record) -> bool:
    """Raise the alert of a failed run unless one of its tasks did; whether it was raised. `tasks` are those that failed."""
    started = datetime.fromisoformat(run["run_started_at"]) if run["run_started_at"] else None
    try:
        if record().has_any(run["dag_id"], run["run_id"], started):
            return False
    except Exception as error:
        logger.warning("It is not known whether run %s was told, so it is told: %s", run["run_id"], type(error).__name__)
    address = task_address(conf.get("api", "base_url", fallback=""), run["dag_id"], run["run_id"])
    failed = FailedTask(run["dag_id"], run["run_id"], ", ".join(tasks[:1]), started, address=address)
    return raise_alert(unseen_failure(failed, tasks), record=record) is not None


def failed_tasks(run: dict[str, Any]) -> list[str]:
    """The tasks of a run that failed, as the scheduler's database has them; none where it does not answer."""
    from airflow.models.dagrun import DagRun

    try:
        found = DagRun.fetch_task_instances(run["dag_id"], run["run_id"], state=[TaskInstanceState.FAILED])
    except Exception as error:
        logger.warning("It is not known which tasks of run %s failed: %s", run["run_id"], type(error).__name__)
        return []
    return sorted({instance.task_id for instance in found})


def main(arguments: list[str]) -> None:
    """Wait until the process of a failed task has told what it had to tell, then look."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    time.sleep(conf.getfloat("core", "task_success_overtime") + 5)
    run = json.loads(arguments[0])
    tell_unseen(run, failed_tasks(run))


if __name__ == "__main__":
    main(sys.argv[1:])
