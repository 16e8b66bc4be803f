"""When DAGs run by themselves: once a day at an hour of UTC, and for some of them whenever their assets change."""

from datetime import timedelta
from typing import Any

from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.trigger import CronTriggerTimetable


def daily(hour: int, minute: int = 0, assets: Any = None) -> Any:
    """The schedule of a DAG that runs once a day at that time of UTC, and whenever one of the `assets` changes.

    A DAG that is switched on waits for that time: Airflow's own default would run it at once within 2.4 hours after it.
    """
    timetable = CronTriggerTimetable(f"{minute} {hour} * * *", timezone="UTC", run_immediately=timedelta(0))
    return AssetOrTimeSchedule(timetable=timetable, assets=assets) if assets else timetable
