"""The bulk imports of an index."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dev.pinecone_server import limits, pages
from dev.pinecone_server.catalog import Import
from dev.pinecone_server.imports import Imports
from dev.pinecone_server.requests import RawBody, TheIndex, VectorsIndex, answer, parsed

router = APIRouter(prefix="/svc/{host_id}/bulk/imports")


async def _imports(request: Request) -> Imports:
    return request.app.state.imports


TheImports = Annotated[Imports, Depends(_imports)]


@router.post("")
def start_import(imports: TheImports, index: VectorsIndex, raw: RawBody) -> Response:
    """Start an import and answer with its id before anything is read."""
    return answer({"id": imports.start(index, parsed(raw))})


@router.get("")
def list_imports(index: TheIndex, limit: str | None = None, paginationToken: str = "") -> Response:
    """Answer with a page of imports in the order of their ids."""
    most = limits.whole_number("limit", limit, limits.MOST_LISTED, default=limits.MOST_LISTED)
    after, scope = pages.opened(paginationToken, "imports", {})
    # Of equal length, so that they sort as numbers do.
    numbered = {import_id.zfill(12): task for import_id, task in index.imports.items()}
    names, more = pages.cut(sorted(numbered), after, most)
    return answer({"data": [_described(numbered[name]) for name in names], **pages.pagination(names, more, scope)})


@router.get("/{import_id}")
def describe_import(imports: TheImports, index: TheIndex, import_id: str) -> Response:
    """Answer with one import."""
    return answer(_described(imports.get(index, import_id)))


@router.delete("/{import_id}")
def cancel_import(imports: TheImports, index: TheIndex, import_id: str) -> Response:
    """Cancel an import that is not finished."""
    imports.cancel(index, import_id)
    return answer({})


def _described(task: Import) -> dict:
    described = {
        "id": task.id,
        "uri": task.uri,
        "status": task.status,
        "createdAt": task.created_at,
        "percentComplete": task.percent_complete,
        "recordsImported": task.records_imported,
    }
    if task.finished_at:
        described["finishedAt"] = task.finished_at
    if task.error:
        described["error"] = task.error
    if task.records_refused:
        described["validationResult"] = {"importSuccesses": task.records_imported, "importErrors": task.records_refused}
    return described
