"""The task decorator of our DAGs: an error that trying again cannot mend fails the task at once, with its message.

Every line that a task logs has the ids it works on as fields of their own: `batch_id`, `release_id`, `shard`, `profile`, ...
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from inspect import signature
from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from structlog.contextvars import bound_contextvars

from embedding_lakehouse.clients.lineage import tell
from embedding_lakehouse.errors import (
    AlarmRaised,
    ApprovalRequired,
    AuditFailed,
    BudgetExceeded,
    ConfigurationError,
    InputError,
    NothingToDo,
)

LOGGED = ("profile", "batch_id", "release_id", "sync_id", "reconciliation_id", "monitor_id", "shard")
FINAL = (AlarmRaised, ApprovalRequired, AuditFailed, BudgetExceeded, ConfigurationError, InputError)


def lakehouse_task(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Like `airflow.sdk.task`, with its options; fails at once on what a person must mend first, skips where there is nothing to do."""
    if function is None:
        return lambda decorated: lakehouse_task(decorated, **options)

    return task(**options)(with_named_ends(function))


def lakehouse_sensor(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Like `airflow.sdk.task.sensor`, for a function that tells whether what it waits for is there; it ends as our tasks do.

    Between two looks it holds no worker.
    """
    if function is None:
        return lambda decorated: lakehouse_sensor(decorated, **options)
    return task.sensor(mode="reschedule", **options)(with_named_ends(function))


def with_named_ends(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a task, whose errors end it as ours do, and whose log names what it works on."""
    parameters = signature(function)

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            with bound_contextvars(**dict(_worked_on(parameters.bind(*args, **kwargs).arguments))):
                result = function(*args, **kwargs)
                tell(function.__name__)
                return result
        except NothingToDo as error:
            raise AirflowSkipException(str(error)) from error
        except FINAL as error:
            raise AirflowFailException(str(error)) from error

    return run


def _worked_on(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The ids among a task's arguments, those within its keys and Params, and those that all its shards share."""
    for name, value in arguments.items():
        if name in LOGGED and isinstance(value, str | int):
            yield name, value
        elif isinstance(value, Mapping):
            yield from ((key, value[key]) for key in LOGGED if isinstance(value.get(key), str | int))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield from _worked_on({key: value[0].get(key) for key in LOGGED if key != "shard"})
