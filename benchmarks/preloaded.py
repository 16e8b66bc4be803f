"""What the process has loaded from which tasks are forked: as Airflow's scheduler, with Airflow's own tables mapped."""

import airflow.jobs.scheduler_job_runner
import airflow.sdk.execution_time.task_runner  # noqa: F401 - the scheduler is what Airflow forks from, and this is what runs a task
from sqlalchemy.orm import configure_mappers

from airflow_local_settings import preload

preload()
# Otherwise the first question to an SQL catalog maps Airflow's tables too, in half a second of every task.
configure_mappers()
