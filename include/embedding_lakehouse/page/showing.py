"""What stands behind a request: who asks, under which profile, and the lake and index to answer from."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from embedding_lakehouse import settings
from embedding_lakehouse.clients.iceberg import catalog_from_connection
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.clients.sql import SqlEngine, engine_from_connection
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.texts import CONNECTION_ID
from embedding_lakehouse.errors import ConfigurationError, InputError, quoted
from embedding_lakehouse.page.links import Links
from embedding_lakehouse.page.reading import Reading
from embedding_lakehouse.page.remembering import Remembered
from embedding_lakehouse.page.rendering import render

# A person waits: what does not answer is said, not waited for as a task does.
PATIENCE_SECONDS = 3
INDEX_SECONDS = 10
STATEMENT_SECONDS = 30
COVERAGE_SECONDS = 60

# Tasks of a run by their id: how many of them are done, and how many there are.
Progress = Callable[[str, str], Mapping[str, tuple[int, int]]]


def sql_engine() -> SqlEngine:
    """The engine behind `trino_default`, or the connection that `EMBEDDING_LAKEHOUSE_PAGE_TRINO` names."""
    conn_id = os.environ.get("EMBEDDING_LAKEHOUSE_PAGE_TRINO") or "trino_default"
    if not CONNECTION_ID.fullmatch(conn_id):
        raise ConfigurationError(f"EMBEDDING_LAKEHOUSE_PAGE_TRINO is {quoted(conn_id)}: it must be the id of an Airflow connection")
    return replace(engine_from_connection(conn_id), patience=PATIENCE_SECONDS, statement_seconds=STATEMENT_SECONDS)


def connect() -> Lake:
    """The lake behind `iceberg_default` and that engine: receipts and what changed ask for snapshots too."""
    return Lake(catalog_from_connection(), sql_engine(), is_only_read=True)


def index_service() -> IndexService:
    """The index behind `pinecone_default`."""
    return replace(service_from_connection(), patience=PATIENCE_SECONDS, request_seconds=INDEX_SECONDS)


def no_progress(dag_id: str, run_id: str) -> Mapping[str, tuple[int, int]]:
    """Nothing is known of a run."""
    return {}


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the pages come from; a test brings its own."""

    sql: Callable[[], SqlEngine] = sql_engine
    lake: Callable[[], Lake] = connect
    service: Callable[[], IndexService] = index_service
    progress: Progress = no_progress
    coverage: Remembered = field(default_factory=lambda: Remembered(COVERAGE_SECONDS))


@dataclass(frozen=True, slots=True)
class Showing:
    """One request."""

    request: Request
    profile: Profile
    links: Links
    now: datetime

    @property
    def sources(self) -> Sources:
        sources: Sources = self.request.app.state.sources
        return sources

    def reading(self) -> Reading:
        """What SQL alone answers."""
        return Reading(self.sources.sql(), self.profile)

    def may_trigger(self, dag_id: str) -> bool:
        """Whether who asks may trigger the DAG."""
        return bool(self.request.state.reader.may_trigger(dag_id))

    def page(self, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
        """The page with what all pages show around it."""
        around = {"refresh": None, "links": self.links, "profile": self.profile, "profiles": list(settings.profiles()), "now": self.now}
        return HTMLResponse(render(template, may_trigger=self.may_trigger, **(around | shown)), status)


def showing(request: Request, profile: str | None = None) -> Showing:
    """The request under the profile that it names, or the default one. Raises InputError for a profile that is not declared."""
    name = profile or settings.default_profile()
    if name not in settings.profiles():
        raise InputError(f"there is no profile of that name; declared are {', '.join(settings.profiles())}")
    return Showing(request, settings.profile(name), Links.of(request, name), datetime.now(UTC))
