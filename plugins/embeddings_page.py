"""The Embeddings page in Airflow's navigation.

Airflow imports this file in every component, so the page itself is imported when it is first asked for. All that is Airflow's own is in
here: who asks, whether they may read and trigger, and how far a run is.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/embeddings"
# Who may read this DAG may read what it made: the documents' texts among it. There is no finer right in Airflow that would fit.
READ_DAG = "embed_documents"
COUNTED_TASKS = ("chunk_documents", "embed_chunks")


@dataclass(frozen=True)
class AirflowReader:
    """Somebody who is logged in to Airflow."""

    user: Any

    def may_trigger(self, dag_id: str) -> bool:
        """Whether Airflow's API would let them trigger the DAG."""
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

        return self.may("POST", dag_id, DagAccessEntity.RUN)

    def may(self, method: Any, dag_id: str, entity: Any = None) -> bool:
        """Whether the auth manager allows them a method on the DAG."""
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
        from airflow.models.dag import DagModel

        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return get_auth_manager().is_authorized_dag(method=method, access_entity=entity, details=details, user=self.user)


class AirflowAccess:
    """Airflow's own login, by its cookie or a bearer token."""

    async def reader(self, request: Any) -> AirflowReader:
        """Who asks. Raises HTTPException 401 for nobody known, a spoilt token among them, 403 for who may not read."""
        from airflow.api_fastapi.core_api.security import bearer_scheme, get_user
        from starlette.concurrency import run_in_threadpool
        from starlette.exceptions import HTTPException

        try:
            reader = AirflowReader(await get_user(request, None, await bearer_scheme(request)))
        except HTTPException as refused:
            raise HTTPException(401) from refused
        if not await run_in_threadpool(reader.may, "GET", READ_DAG):
            raise HTTPException(403)
        return reader


def task_progress(dag_id: str, run_id: str) -> Mapping[str, tuple[int, int]]:
    """How many of the mapped tasks of a run are done, and how many there are, by the task."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import State
    from sqlalchemy import select

    chosen = (TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.task_id.in_(COUNTED_TASKS))
    with create_session(scoped=False) as session:
        found = session.execute(select(TaskInstance.task_id, TaskInstance.state).where(*chosen, TaskInstance.map_index >= 0)).all()
    tasks = [(task, [state for name, state in found if name == task]) for task in COUNTED_TASKS]
    return {task: (sum(state in State.finished for state in states), len(states)) for task, states in tasks if states}


class WhenAskedFor:
    """The page behind its gate, both imported with the first request."""

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        await self.gate(scope, receive, send)

    @cached_property
    def gate(self) -> Any:
        from embedding_lakehouse.page.gate import Gate

        return Gate(make_page, AirflowAccess())


def make_page() -> Any:
    """The page with what it asks Airflow for."""
    from embedding_lakehouse.page.app import create_app
    from embedding_lakehouse.page.showing import Sources

    return create_app(Sources(progress=task_progress))


class EmbeddingsPage(AirflowPlugin):
    """Mounts the page and puts it into the navigation."""

    name = "embeddings_page"
    fastapi_apps = [{"app": WhenAskedFor(), "url_prefix": PREFIX, "name": "Embeddings"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Embeddings",
            "href": f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PREFIX}/",
            "url_route": "embeddings",
            "destination": "nav",
        }
    ]
