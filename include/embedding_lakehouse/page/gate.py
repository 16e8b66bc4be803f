"""Who may come in: every request passes here first, whatever its path or method, so that no route and no file can be forgotten.

Nothing heavy is imported here: strangers are refused before the page itself is loaded.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedding_lakehouse.page.rendering import render

# Only files of our own; nobody else may frame the page. A chart's library sets styles by script, which this allows.
HEADERS = {
    b"content-security-policy": b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
}


def _caching(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What may be kept: a page with its documents' texts nowhere, a file by the browser alone, which asks each time whether it changed."""
    return b"private, no-cache" if any(name.lower() == b"etag" for name, _ in headers) else b"no-store"


class Reader(Protocol):
    """Somebody who is logged in and may read the page."""

    def may_trigger(self, dag_id: str) -> bool:
        """Whether Airflow would let them trigger the DAG."""
        ...


class Access(Protocol):
    """How Airflow says who asks."""

    async def reader(self, request: Request) -> Reader:
        """Who asks. Raises HTTPException 401 for nobody known, 403 for somebody who may not read."""
        ...


class Gate:
    """Lets a request through to the app with its reader in `request.state.reader`, or answers it here. The first one makes the app."""

    def __init__(self, make_app: Callable[[], ASGIApp], access: Access) -> None:
        self._make_app = make_app
        self._access = access
        self._made: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def _app(self) -> ASGIApp:
        async with self._making:
            if self._made is None:
                # It takes seconds, in which Airflow's other pages are to be answered.
                self._made = await run_in_threadpool(self._make_app)
            return self._made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # The page speaks HTTP alone: a web socket is closed before it opens.
            return await send({"type": "websocket.close", "code": 1008})
        request = Request(scope, receive)

        # A file's mount changes the root path; the page's own addresses start here.
        request.state.base = scope.get("root_path", "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", [])
                message["headers"] = [*headers, *HEADERS.items(), (b"cache-control", _caching(headers))]
            await send(message)

        try:
            request.state.reader = await self._access.reader(request)
        except HTTPException as refused:
            page = render("refused.html", status=refused.status_code)
            return await HTMLResponse(page, refused.status_code)(scope, receive, send_with_headers)
        app = await self._app()
        return await app(scope, receive, send_with_headers)
