"""The application: routes, the door that asks for the API key, and the shape of errors."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from secrets import randbits
from typing import cast

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dev.pinecone_server import aliases_plane, control_plane, faults, imports_plane, namespaces_plane, search_plane, vectors_plane
from dev.pinecone_server.errors import Code, Refusal, invalid, unsupported
from dev.pinecone_server.imports import Imports
from dev.pinecone_server.index_shapes import NEWEST_VERSION
from dev.pinecone_server.requests import answer, asked_version
from dev.pinecone_server.store import Store
from dev.pinecone_server.versions import Visibility

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# What the service has and this server does not, by where its paths begin.
MISSING = {
    "/indexes/create-for-model": "integrated embedding",
    "/indexes/{name}/backups": "backups",
    "/indexes/{name}/backup-schedules": "backups",
    "/backups": "backups",
    "/backup-schedules": "backups",
    "/restore-jobs": "backups",
    "/collections": "collections",
    "/embed": "inference",
    "/rerank": "inference",
    "/models": "inference",
    "/assistant": "assistants",
    "/svc/{host_id}/records": "integrated embedding",
    "/svc/{host_id}/namespaces/{namespace}/documents": "document indexes",
}
# The records and the documents API of an index answer errors as the control plane does.
LIKE_CONTROL_PLANE = re.compile(r"/svc/[^/]+/(records|namespaces/.+/documents)/")


@dataclass(frozen=True)
class Settings:
    """How the server runs. `faults` is None where the route for faults must not exist."""

    home: Path
    api_key: str
    visibility_delay_ms: float = 0.0
    import_delay_ms: float = 1000.0
    memory_mb: int = 1024
    faults: dict | None = None


def create_app(settings: Settings) -> ASGIApp:
    """Return the application over a home folder."""
    visibility = Visibility(settings.visibility_delay_ms / 1000)
    store = Store(settings.home, visibility, settings.memory_mb * 2**20)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan)
    app.state.store = store
    app.state.imports = Imports(store, settings.import_delay_ms / 1000)
    app.state.faults = faults.Faults()
    app.get("/health")(_health)
    # The search comes before the refusal of what else the records API has.
    planes = (control_plane, vectors_plane, namespaces_plane, aliases_plane, imports_plane)
    for router in (search_plane.router, _missing(), *(plane.router for plane in planes)):
        app.include_router(router)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(RecursionError, _too_deep)
    app.add_exception_handler(Exception, _broken)
    door = Door(app, settings.api_key)
    if settings.faults is None:
        return door
    app.include_router(faults.router)
    faults.configure(app.state.faults, visibility, settings.faults)
    return faults.FaultInjector(door, app.state.faults)


class Door:
    """Asks every request but `/health` for the API key, and gives every answer a request id."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._api_key = api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-pinecone-request-id"] = str(randbits(63))
            await send(message)

        key = Headers(scope=scope).get("Api-Key", "")
        if scope["path"] == "/health" or compare_digest(key.encode(), self._api_key):
            await self._app(scope, receive, numbered)
        else:
            await Response("Unauthorized", 401, media_type="text/plain")(scope, receive, numbered)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.imports.close()
    app.state.store.close()


def _health() -> Response:
    return answer({"status": "ok", "server": "Pinecone-compatible server for development and tests, not the Pinecone service"})


def _missing() -> APIRouter:
    router = APIRouter()
    for path, what in MISSING.items():

        def refuse(what: str = what) -> Response:
            raise unsupported(what)

        # A namespace may be named "a/documents", and is read and deleted by that name.
        methods = ["POST"] if path.startswith("/svc/") else METHODS
        for pattern in (path, path + "/{rest:path}"):
            router.add_api_route(pattern, refuse, methods=methods)
    return router


def _error(request: Request, refusal: Refusal, status: int | None = None) -> Response:
    in_vectors_api = request.url.path.startswith("/svc/") and not _is_like_control_plane(request)
    return answer(refusal.vectors_body() if in_vectors_api else refusal.control_body(), status=status or refusal.code.status)


def _is_like_control_plane(request: Request) -> bool:
    # Before this version these answered as the vectors API does; and a namespace may be named "a/documents/b".
    is_new = asked_version(request) >= NEWEST_VERSION
    return is_new and request.method == "POST" and bool(LIKE_CONTROL_PLANE.match(request.url.path))


async def _refused(request: Request, error: Exception) -> Response:
    return _error(request, cast(Refusal, error))


async def _unknown(request: Request, error: Exception) -> Response:
    error = cast(HTTPException, error)
    code = Code.NOT_FOUND if error.status_code == 404 else Code.INVALID_ARGUMENT
    return _error(request, Refusal(code, f"{request.method} {request.url.path}: {error.detail}"), status=error.status_code)


async def _too_deep(request: Request, error: Exception) -> Response:
    return _error(request, invalid("The request body is nested too deeply"))


async def _broken(request: Request, error: Exception) -> Response:
    return _error(request, Refusal(Code.INTERNAL, f"Internal server error: {type(error).__name__}"))
