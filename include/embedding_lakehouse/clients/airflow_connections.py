"""Airflow connections, with an error that says what to do where there is none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from embedding_lakehouse.errors import ConfigurationError


def airflow_connection(conn_id: str, kind: str) -> Any:
    """The connection of that id. Raises ConfigurationError where there is none; `kind` is the type that it should have."""
    from airflow.sdk import BaseHook

    with named_absence(conn_id, kind):
        return BaseHook.get_connection(conn_id)


@contextmanager
def named_absence(conn_id: str, kind: str) -> Iterator[None]:
    """Raise ConfigurationError where a hook does not find its connection."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        yield
    except AirflowNotFoundException as error:
        raise ConfigurationError(f"there is no connection {conn_id}: add one of type {kind} in Airflow") from error
