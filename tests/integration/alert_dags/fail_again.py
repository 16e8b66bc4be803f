"""A DAG of this package by its owner: three mapped tasks that fail at their first and at their second, last try."""

from datetime import timedelta

from airflow.sdk import dag

from embedding_lakehouse.errors import TransientError
from embedding_lakehouse.settings import DAG_DEFAULTS
from embedding_lakehouse.task_errors import lakehouse_task


@dag(schedule=None, tags=["test"], **DAG_DEFAULTS)
def fail_again():
    @lakehouse_task(retries=1, retry_delay=timedelta(seconds=1))
    def embed_chunks(shard: int, ti=None) -> None:
        raise TransientError(f"the model did not answer at try {ti.try_number}")

    embed_chunks.expand(shard=[0, 1, 2])


fail_again()
