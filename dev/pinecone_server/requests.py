"""What every route needs of a request, and the answers it gives back."""

from typing import Annotated

import orjson
from fastapi import Depends, Request, Response

from dev.pinecone_server.catalog import VECTORS, Index
from dev.pinecone_server.errors import Code, Refusal, invalid
from dev.pinecone_server.index_shapes import NEWEST_VERSION
from dev.pinecone_server.limits import MOST_BODY_BYTES
from dev.pinecone_server.store import Store

USAGE = {"readUnits": 1}


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BODY_BYTES:
            raise Refusal(Code.PAYLOAD_TOO_LARGE, f"The request is larger than {MOST_BODY_BYTES // 2**20} MB")
        chunks.append(chunk)
    return b"".join(chunks)


async def _store(request: Request) -> Store:
    return request.app.state.store


def asked_version(request: Request) -> str:
    """Return the API version that a request is made for, the newest one where it names none."""
    return request.headers.get("X-Pinecone-Api-Version") or NEWEST_VERSION


async def _version(request: Request) -> str:
    return asked_version(request)


async def _index(request: Request, host_id: str) -> Index:
    return request.app.state.store.catalog.indexes.at(host_id)


RawBody = Annotated[bytes, Depends(_body)]
TheStore = Annotated[Store, Depends(_store)]
Version = Annotated[str, Depends(_version)]
TheIndex = Annotated[Index, Depends(_index)]


async def _vectors_index(index: TheIndex) -> Index:
    if index.vector_field != VECTORS:
        raise invalid(f"Index {index.name} has a document schema: use the documents API for it, not the vectors API.")
    return index


VectorsIndex = Annotated[Index, Depends(_vectors_index)]


def parsed(raw: bytes) -> dict:
    """Return the object of a JSON body; an empty body is an empty object. Raises Refusal if it is anything else."""
    try:
        body = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object")
    return body


def served(asked: object, namespace: str) -> str:
    """Return the namespace as an answer names it: a request that leaves it out gets it back empty."""
    return namespace if asked else ""


def answer(content: object, *, status: int = 200, written: int | None = None, indexed: int | None = None) -> Response:
    """Return a JSON answer; float32 arrays become the shortest text that reads back as the same floats.

    `written` is the log sequence number of a write, `indexed` the one up to which a read saw the writes.
    """
    headers = {}
    if written is not None:
        headers["x-pinecone-request-lsn"] = str(written)
    if indexed is not None:
        headers["x-pinecone-max-indexed-lsn"] = str(indexed)
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), status, headers, "application/json")
