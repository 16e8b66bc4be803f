"""A DAG of this package by its owner, whose tasks raise an alarm of each kind and each profile."""

from datetime import UTC, datetime

from airflow.sdk import dag

from embedding_lakehouse.errors import AlarmRaised
from embedding_lakehouse.settings import DAG_DEFAULTS
from embedding_lakehouse.task_errors import lakehouse_task


@dag(schedule=None, tags=["test"], **DAG_DEFAULTS)
def raise_alarms():
    @lakehouse_task
    def conclude(kind: str) -> None:
        raise AlarmRaised(kind, "small", f"subject of {kind}", datetime(2026, 1, 31, tzinfo=UTC), "it is so", "do this")

    conclude.expand(kind=["drift", "low_fidelity", "missed_freshness"])


raise_alarms()
