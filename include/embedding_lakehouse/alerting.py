"""Raise an alert: record it in the lake, then send it through the notifiers of the deployment. Neither waits long for the other."""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from threading import Thread
from typing import Any

from airflow.configuration import conf

from embedding_lakehouse.clients.alerts import AlertRecord, alert_record
from embedding_lakehouse.clients.notifiers import build_notifier, reason, send_alert
from embedding_lakehouse.core.alerts import Alert, trial_alert
from embedding_lakehouse.core.notifiers import SETTING, NotifierSetting, parse_notifiers
from embedding_lakehouse.errors import ConfigurationError

# Of the time that Airflow leaves to the process of a task that is done: for the record, and again for the notifiers.
PATIENCE = 0.4

logger = logging.getLogger(__name__)


def configured_notifiers() -> list[NotifierSetting]:
    """The notifiers of this deployment. Raises ConfigurationError for a wrong setting."""
    return parse_notifiers(os.environ.get(SETTING, ""))


def raise_alert(
    alert: Alert,
    must_be_first: bool = False,
    record: Callable[[], AlertRecord] = alert_record,
    notifiers: Sequence[NotifierSetting] | None = None,
    seconds: float | None = None,
) -> dict[str, BaseException | None] | None:
    """Record the alert and send it; what became of each sending, by its place and class, or None for an alert that was raised before.

    An alert that cannot be recorded is sent all the same, unless it `must_be_first`: one of hundreds of mapped tasks cannot know
    whether another told it already. Each of the two may take `seconds`, by default 0.4 of Airflow's `task_success_overtime`. Never raises.
    """
    seconds = _patience() if seconds is None else seconds
    recorded = side_by_side({"record": lambda: record().add(alert)}, seconds)["record"]
    if recorded is None:
        return None
    if isinstance(recorded, BaseException):
        logger.error("The alert could not be recorded in the lake: %s", reason(recorded))
        if must_be_first:
            return None
        recorded = replace(alert, since_at=alert.since_at or datetime.now(UTC))
    logger.warning("ALERT %s", recorded.message)
    return _send(recorded, notifiers, seconds)


def _patience() -> float:
    return PATIENCE * float(conf.getfloat("core", "task_success_overtime"))


def _send(alert: Alert, notifiers: Sequence[NotifierSetting] | None, seconds: float) -> dict[str, BaseException | None]:
    try:
        wanted = configured_notifiers() if notifiers is None else notifiers
    except ConfigurationError as error:
        logger.error("The alert is sent to nobody: %s", error)
        return {}
    ends = side_by_side({f"{place}. {one.classpath}": partial(send_alert, one, alert) for place, one in enumerate(wanted, 1)}, seconds)
    for name, failure in ends.items():
        if failure is None:
            logger.info("The alert was sent by notifier %s", name)
        else:
            logger.error("Notifier %s did not send the alert: %s", name, reason(failure))
    return ends


def send_trial() -> dict[str, str | None]:
    """Send a trial alert; what kept each notifier from it, by its place and class. Raises ConfigurationError where none is named."""
    wanted = configured_notifiers()
    if not wanted:
        raise ConfigurationError(f"{SETTING} names nobody: alerts are recorded and logged, and sent to no one")
    ends = _send(trial_alert(), wanted, _patience())
    return {name: None if failure is None else reason(failure) for name, failure in ends.items()}


def check_notifiers() -> None:
    """Log what is wrong with the setting, once, before the first alert needs it."""
    try:
        for setting in configured_notifiers():
            build_notifier(setting)
    except ConfigurationError as error:
        logger.error("Alerts will not be sent as wanted: %s", error)


def side_by_side(calls: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, Any]:
    """What each call answers, or the error that it raises: a TimeoutError for one that takes longer, which is left behind."""
    ends: dict[str, Any] = {}

    def run(name: str) -> None:
        try:
            ends[name] = calls[name]()
        except BaseException as error:
            ends[name] = error

    threads = [Thread(target=run, args=(name,), daemon=True) for name in calls]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = TimeoutError(f"no answer within {seconds:g} seconds")
    return {name: ends.get(name, late) for name in calls}
