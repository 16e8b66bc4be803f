"""Put the page together: the pages, their files, and a readable page for what goes wrong."""

import logging
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from embedding_lakehouse import settings
from embedding_lakehouse.clients.catalog_errors import UNREACHABLE
from embedding_lakehouse.errors import ConfigurationError, InputError, LakehouseError
from embedding_lakehouse.page.links import Links
from embedding_lakehouse.page.rendering import render
from embedding_lakehouse.page.routes import router
from embedding_lakehouse.page.showing import Sources

STATIC = Path(__file__).parent / "static"
NOT_ANSWERING = "The SQL engine, the catalog or the index does not answer right now. Nothing is lost: try again in a moment."
UNEXPECTED = "Something went wrong that the page did not expect. The log of Airflow's API server says what."

logger = logging.getLogger(__name__)


def create_app(sources: Sources | None = None) -> FastAPI:
    """The page as an app, to be put behind a Gate: it asks nobody who they are."""
    app = FastAPI(title="Embeddings", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.sources = sources or Sources()
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    app.add_exception_handler(RequestValidationError, _refused_input)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(LakehouseError, _lakehouse_error)
    for unreachable in UNREACHABLE:
        app.add_exception_handler(unreachable, _lost)
    app.add_exception_handler(Exception, _unexpected)
    return app


def _refused_input(request: Request, error: Exception) -> HTMLResponse:
    """What was asked for is impossible: which value, and why, without repeating it."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{each['loc'][-1]}: {each['msg'].lower()}" for each in errors)
    return _message(request, 400, "That cannot be asked", f"{said}.")


def _refused(request: Request, error: Exception) -> HTMLResponse:
    status = error.status_code if isinstance(error, HTTPException) else 400
    title = {404: "There is no such page", 405: "Pages are only read"}.get(status, "That cannot be shown")
    headers = error.headers if isinstance(error, HTTPException) else None
    return _message(request, status, title, "The links above lead to all pages.", headers)


def _lakehouse_error(request: Request, error: Exception) -> HTMLResponse:
    """An error that was raised on purpose; what an outside system said of itself stays in the log."""
    if isinstance(error, InputError):
        return _message(request, 400, "That cannot be asked", f"{error}.")
    logger.warning("the page %s could not be shown: %s", request.url.path, error)
    if isinstance(error, ConfigurationError):
        return _message(request, 503, "The lakehouse is not set up for this", f"{_first_line(error)}.")
    return _message(request, 503, "No answer", NOT_ANSWERING)


def _lost(request: Request, error: Exception) -> HTMLResponse:
    logger.warning("the page %s could not be shown", request.url.path, exc_info=error)
    return _message(request, 503, "No answer", NOT_ANSWERING)


def _unexpected(request: Request, error: Exception) -> HTMLResponse:
    logger.error("the page %s failed", request.url.path, exc_info=error)
    return _message(request, 500, "The page failed", UNEXPECTED)


def _message(request: Request, status: int, title: str, message: str, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    return HTMLResponse(render("message.html", refresh=None, links=_links(request), title=title, message=message), status, headers)


def _links(request: Request) -> Links | None:
    """The addresses for the navigation, none where not even the profiles can be read."""
    try:
        return Links.of(request, settings.default_profile())
    except LakehouseError:
        return None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")[:400]
