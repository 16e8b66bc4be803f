"""A DAG of this package by its owner, whose task's process is killed."""

import os
import signal

from airflow.sdk import dag

from embedding_lakehouse.settings import DAG_DEFAULTS
from embedding_lakehouse.task_errors import lakehouse_task


@dag(schedule=None, tags=["test"], **DAG_DEFAULTS)
def kill_itself():
    @lakehouse_task(retries=0)
    def vanish() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    vanish()


kill_itself()
