"""The task decorator of our DAGs: an error that trying again cannot mend fails the task at once, with its message."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from embedding_lakehouse.errors import (
    AlarmRaised,
    ApprovalRequired,
    AuditFailed,
    BudgetExceeded,
    ConfigurationError,
    InputError,
    NothingToDo,
)

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
    """The function of a task, whose errors end it as ours do."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except NothingToDo as error:
            raise AirflowSkipException(str(error)) from error
        except FINAL as error:
            raise AirflowFailException(str(error)) from error

    return run
