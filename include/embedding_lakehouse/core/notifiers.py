"""The setting that says where alerts go: a JSON list of Airflow notifiers, each with its class and its arguments."""

import json
from dataclasses import dataclass, field
from typing import Any

from embedding_lakehouse.errors import ConfigurationError

SETTING = "EMBEDDING_LAKEHOUSE_NOTIFIERS"
EXAMPLE = '[{"classpath": "airflow.providers.amazon.aws.notifications.sns.SnsNotifier", "kwargs": {"message": "{{ alert.message }}"}}]'


@dataclass(frozen=True, slots=True)
class NotifierSetting:
    """A notifier: the dotted path of its class, and the arguments it is made with, in which templates may use `alert`."""

    classpath: str
    kwargs: dict[str, Any] = field(default_factory=dict)


def parse_notifiers(text: str) -> list[NotifierSetting]:
    """The notifiers that the setting names; none for an empty one. Raises ConfigurationError that says which entry is wrong, and how."""
    if not text.strip():
        return []
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{SETTING} is not JSON: {error}; write a list such as {EXAMPLE}") from error
    if not isinstance(entries, list):
        raise ConfigurationError(f"{SETTING} must be a JSON list such as {EXAMPLE}")
    return [_parsed(position, entry) for position, entry in enumerate(entries, start=1)]


def _parsed(position: int, entry: Any) -> NotifierSetting:
    place = f"entry {position} of {SETTING}"
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{place} must be an object with classpath and kwargs")
    if unknown := sorted(entry.keys() - {"classpath", "kwargs"}):
        raise ConfigurationError(f"{place} has {', '.join(map(repr, unknown))}: it may have classpath and kwargs, arguments go into kwargs")
    classpath, kwargs = entry.get("classpath"), entry.get("kwargs", {})
    if not isinstance(classpath, str) or "." not in classpath:
        raise ConfigurationError(f"{place} needs a classpath: the dotted path of a notifier's class")
    if not isinstance(kwargs, dict):
        raise ConfigurationError(f"{place} must have an object as kwargs")
    return NotifierSetting(classpath, kwargs)
