"""OpenAI's files and batches: upload, list, retrieve, content and delete; create, list, retrieve and cancel."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from dev.model_server.behaviour import Fault, Record
from dev.model_server.bulk import ENDPOINT, UNDER_WAY, Bulk, File
from dev.model_server.connections import CutConnection, cut
from dev.model_server.openai_plane import error, refused, unknown_key

router = APIRouter()
PAGE = 20


@router.api_route("/v1/files{rest:path}", methods=["GET", "POST", "DELETE"])
@router.api_route("/v1/batches{rest:path}", methods=["GET", "POST"])
async def answer(request: Request) -> Response:
    """Answer a call, or do as the fault that hits it says."""
    record: Record = request.app.state.record
    kind, *names = request.url.path.removeprefix("/v1/").strip("/").split("/")
    call = f"{request.method} /v1/{'/'.join([kind, *names[1:]])}" + (" by id" if names[:1] and not names[1:] else "")
    if refusal := unknown_key(request):
        return refusal
    fault = record.fault(call)
    if fault and (refusal := refused(request, fault)):
        return refusal
    if fault and fault.kind == "hang":
        await _hang(request)
    found = await CALLS[call](request, request.app.state.bulk, *names[:1]) if call in CALLS else _unknown(call)
    if not fault or not fault.kind.endswith("_after"):
        return found
    if not isinstance(found, JSONResponse):
        return _half(request, bytes(found.body), fault)
    if fault.kind == "hang_after":
        await _hang(request)
    cut(request)


async def _upload(request: Request, bulk: Bulk) -> Response:
    async with request.form() as form:
        file = form["file"]
        content = await file.read()  # type: ignore[union-attr]
        return JSONResponse(bulk.keep(str(file.filename), str(form["purpose"]), content).shown())  # type: ignore[union-attr]


async def _list_files(request: Request, bulk: Bulk) -> Response:
    return _page(request, [file.shown() for file in bulk.files.values()])


async def _show_file(request: Request, bulk: Bulk, file_id: str) -> Response:
    file = bulk.files.get(file_id)
    return JSONResponse(file.shown()) if file else _no_file(file_id)


async def _delete_file(request: Request, bulk: Bulk, file_id: str) -> Response:
    file: File | None = bulk.files.pop(file_id, None)
    return JSONResponse({"id": file_id, "object": "file", "deleted": True}) if file else _no_file(file_id)


async def _show_content(request: Request, bulk: Bulk, file_id: str) -> Response:
    file = bulk.files.get(file_id)
    return Response(file.content, media_type="application/octet-stream") if file else _no_file(file_id)


async def _create(request: Request, bulk: Bulk) -> Response:
    asked: dict[str, Any] = await request.json()
    file = bulk.files.get(asked["input_file_id"])
    if not file or file.purpose != "batch":
        return error(400, f"Invalid file ID: {asked['input_file_id']}.", param="input_file_id")
    if (asked["endpoint"], asked["completion_window"]) != (ENDPOINT, "24h"):
        return error(400, f"Only {ENDPOINT} within 24h is supported.", param="endpoint")
    return JSONResponse(bulk.create(asked).shown())


async def _list_batches(request: Request, bulk: Bulk) -> Response:
    return _page(request, [batch.shown() for batch in reversed(bulk.batches.values())])


async def _show_batch(request: Request, bulk: Bulk, batch_id: str) -> Response:
    batch = bulk.batches.get(batch_id)
    if not batch:
        return _no_batch(batch_id)
    bulk.look(batch)
    return JSONResponse(batch.shown())


async def _cancel(request: Request, bulk: Bulk, batch_id: str) -> Response:
    batch = bulk.batches.get(batch_id)
    if not batch:
        return _no_batch(batch_id)
    if batch.status not in UNDER_WAY:
        return error(409, f"Cannot cancel a batch with status '{batch.status}'.")
    batch.status = "cancelling"
    return JSONResponse(batch.shown())


CALLS = {
    "POST /v1/files": _upload,
    "GET /v1/files": _list_files,
    "GET /v1/files by id": _show_file,
    "DELETE /v1/files by id": _delete_file,
    "GET /v1/files/content": _show_content,
    "POST /v1/batches": _create,
    "GET /v1/batches": _list_batches,
    "GET /v1/batches by id": _show_batch,
    "POST /v1/batches/cancel": _cancel,
}


def _page(request: Request, shown: list[dict[str, Any]]) -> Response:
    after, limit = request.query_params.get("after"), int(request.query_params.get("limit", PAGE))
    first = next((place + 1 for place, one in enumerate(shown) if one["id"] == after), 0)
    page = shown[first : first + limit]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return JSONResponse({"object": "list", "data": page, "has_more": first + limit < len(shown), **ends})


async def _hang(request: Request) -> NoReturn:
    while not await request.is_disconnected():
        await asyncio.sleep(0.05)
    raise CutConnection


def _half(request: Request, content: bytes, fault: Fault) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield content[: len(content) // 2]
        if fault.kind == "hang_after":
            await _hang(request)
        request.scope["hang_up"]()
        raise CutConnection

    return StreamingResponse(body(), headers={"content-length": str(len(content))}, media_type="application/octet-stream")


def _unknown(call: str) -> Response:
    return error(404, f"Unknown request: {call}")


def _no_file(file_id: str) -> Response:
    return error(404, f"No such File object: {file_id}", param="id")


def _no_batch(batch_id: str) -> Response:
    return error(404, f"No batch found with id '{batch_id}'.", param="id")
