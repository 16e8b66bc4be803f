"""A DAG for each embedding profile, so that each has its own schedule, pace and approvals, and none waits for another."""

from collections.abc import Callable
from typing import Any

from airflow.sdk import DAG, Param, dag

from embedding_lakehouse.settings import default_profile, profiles


def profile_dag(*, schedule: Any, params: dict[str, Param], **options: Any) -> Callable[[Callable[[], None]], Callable[[], DAG]]:
    """Like `airflow.sdk.dag`, made once for each declared profile: for the default one under its own name, for others as `name__profile`.

    The Param `profile` of each has its own profile as default. Calling what it decorates makes them all and answers the default one's.
    """

    def declare(function: Callable[[], None]) -> Callable[[], DAG]:
        def made(name: str) -> DAG:
            own = params | {"profile": Param(name, **params["profile"].schema, description=params["profile"].description)}
            dag_id = function.__name__ if name == default_profile() else f"{function.__name__}__{name}"
            return dag(dag_id=dag_id, schedule=schedule, params=own, **options)(function)()

        def all_made() -> DAG:
            return {name: made(name) for name in profiles()}[default_profile()]

        return all_made

    return declare
