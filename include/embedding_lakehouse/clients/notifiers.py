"""Send an alert through Airflow's own notifiers, whatever service they speak to."""

import re
from importlib import import_module
from typing import Any

from airflow.sdk import BaseNotifier
from airflow.sdk.execution_time.context import ConnectionAccessor

from embedding_lakehouse.core.alerts import Alert
from embedding_lakehouse.core.notifiers import NotifierSetting
from embedding_lakehouse.errors import ConfigurationError

# Whatever has a slash in it: a webhook's address is its secret, and errors of HTTP clients repeat it.
ADDRESS = re.compile(r"\S*/\S+")
LONGEST_REASON = 500


def build_notifier(setting: NotifierSetting) -> BaseNotifier:
    """The notifier that a setting describes. Raises ConfigurationError where its class or its arguments are wrong."""
    notifier = _notifier_class(setting.classpath)
    try:
        return notifier(**setting.kwargs)
    except Exception as error:
        raise ConfigurationError(f"{setting.classpath} does not take these kwargs: {reason(error)}") from error


def send_alert(setting: NotifierSetting, alert: Alert) -> None:
    """Send the alert. Raises ConfigurationError for a wrong setting, and whatever the notifier raises."""
    # What belongs to nobody's eyes, such as a webhook's path, a template takes from a connection.
    notifier, context = build_notifier(setting), {"alert": alert, "conn": ConnectionAccessor()}
    # Not by calling the notifier, which logs an error's whole text.
    notifier.render_template_fields(context)
    notifier.notify(context)


def reason(error: BaseException) -> str:
    """What an error says, in one line and without addresses."""
    said = " ".join(ADDRESS.sub("...", str(error)).split())
    return f"{type(error).__name__}: {said}"[:LONGEST_REASON]


def _notifier_class(classpath: str) -> Any:
    module, _, name = classpath.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"there is no notifier {classpath}: {error}. Is its provider installed?") from error
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise ConfigurationError(f"{classpath} is no Airflow notifier: name a subclass of airflow.sdk.BaseNotifier")
    return found
