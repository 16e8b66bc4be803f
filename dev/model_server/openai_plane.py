"""OpenAI's `POST /v1/embeddings`, with its errors."""

import asyncio
from base64 import b64encode
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dev.model_server.behaviour import Behaviour, Fault, Record
from dev.model_server.connections import cut
from dev.model_server.vectors import tokens_of, vector_of

MODELS = {"text-embedding-3-small": 1_536, "text-embedding-3-large": 3_072}
router = APIRouter()


@router.post("/v1/embeddings")
async def embed(request: Request) -> Response:
    """Embed a list of texts."""
    record: Record = request.app.state.record
    asked = await request.json()
    texts = asked["input"]
    tokens = sum(map(tokens_of, texts))
    answer = _answer(request, record, asked, texts, tokens)
    record.note(texts, tokens, answer.status_code)
    await asyncio.sleep(record.behaviour.answer_s)
    return answer


def _answer(request: Request, record: Record, asked: dict, texts: list[str], tokens: int) -> Response:
    if refusal := unknown_key(request):
        return refusal
    if (wait := record.admit(tokens)) is not None:
        return _throttled({"retry-after-ms": f"{wait * 1000:.0f}", "x-ratelimit-remaining-requests": "0"})
    fault = record.fault("POST /v1/embeddings") or record.behaviour.spoilt(texts)
    if fault and (refusal := refused(request, fault)):
        return refusal
    return embedded(record.behaviour, asked, texts, fault)


def unknown_key(request: Request) -> Response | None:
    """The refusal of a request with another key than ours."""
    if (key := key_of(request)) == request.app.state.api_key:
        return None
    return error(401, f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key")


def key_of(request: Request) -> str:
    """The key that a request brings."""
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def embedded(limits: Behaviour, asked: dict, texts: list[str], fault: Fault | None = None) -> Response:
    """The vectors of texts, or why they have none."""
    tokens = sum(map(tokens_of, texts))
    if asked["model"] not in MODELS or (fault and fault.kind == "no_model"):
        return error(404, f"The model `{asked['model']}` does not exist or you do not have access to it.", code="model_not_found")
    dimensions = asked.get("dimensions", MODELS[asked["model"]])
    if dimensions > MODELS[asked["model"]]:
        return error(400, f"Invalid value for 'dimensions' = {dimensions}.", param="dimensions")
    return _bad_request(limits, texts, tokens) or _vectors(texts, tokens, dimensions, asked.get("encoding_format"), fault)


def _bad_request(limits: Behaviour, texts: list[str], tokens: int) -> Response | None:
    if len(texts) > limits.inputs_per_request:
        return error(400, f"Invalid 'input': array too long. Expected {limits.inputs_per_request} items.", param="input")
    if longest := max((tokens_of(text) for text in texts if tokens_of(text) > limits.tokens_per_input), default=0):
        return error(400, f"This model's maximum context length is {limits.tokens_per_input} tokens, however you requested {longest}.")
    if tokens > limits.tokens_per_request:
        return error(400, f"Requested {tokens} tokens, max {limits.tokens_per_request} tokens per request", code="max_tokens_per_request")
    if limits.refuses(texts):
        return error(400, "'$.input' is invalid. Please check the API reference.")
    return None


def _vectors(texts: list[str], tokens: int, dimensions: int, encoding: str | None, fault: Fault | None) -> Response:
    kind = fault.kind if fault else ""
    vectors = [vector_of(text, dimensions - (kind == "wrong_dimension")) for text in texts][kind == "too_few" :]
    if kind == "nan":
        vectors[-1][0] = np.nan
    # The order of the answers is not that of the texts: the index says which is which.
    shown = [
        {
            "object": "embedding",
            "index": index,
            "embedding": b64encode(vector.tobytes()).decode() if encoding == "base64" else vector.tolist(),
        }
        for index, vector in reversed(list(enumerate(vectors)))
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse(_misshapen({"object": "list", "data": shown, "model": "m", "usage": usage}, kind))


def _misshapen(body: dict[str, Any], kind: str) -> dict[str, Any]:
    """The answer, in another form than OpenAI's where the fault says so."""
    shown = body["data"]
    match kind:
        case "null_vector":
            shown[0]["embedding"] = None
        case "half_vector":
            shown[0]["embedding"] = shown[0]["embedding"][: len(shown[0]["embedding"]) // 2]
        case "no_index":
            body["data"] = [{name: value for name, value in one.items() if name != "index"} for one in shown[::-1]]
        case "doubled_index":
            body["data"] = [one | {"index": 1 if one["index"] == 2 else one["index"]} for one in shown]
        case "no_count":
            del body["usage"]["prompt_tokens"]
    return body


def refused(request: Request, fault: Fault) -> Response | None:
    """How a fault refuses a request; None where it lets it in."""
    key = key_of(request)
    match fault.kind:
        case "throttled":
            return _throttled(fault.headers)
        case "quota":
            return error(429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota")
        case "unauthorized":
            return error(401, f"Incorrect API key provided: {key}.", code="invalid_api_key")
        case "server_error":
            return error(500, f"The server had an error while processing your request with the key {key}.", "server_error", **fault.headers)
        case "error_body":
            return JSONResponse({"error": {"message": f"The model behind us does not answer {key}."}})
        case "garbage":
            return Response("<html>Bad gateway</html>", media_type="application/json")
        case "cut":
            cut(request)
    return None


def _throttled(headers: dict[str, str]) -> Response:
    return error(429, "Rate limit reached for requests", "requests", "rate_limit_exceeded", **headers)


def error(
    status: int, message: str, kind: str = "invalid_request_error", code: str | None = None, param: str | None = None, **headers: str
) -> Response:
    """An error as OpenAI answers it."""
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, {name.replace("_", "-"): value for name, value in headers.items()})
