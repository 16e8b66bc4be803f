"""Bedrock's `POST /model/{model}/invoke` for Titan Text Embeddings V2 and Cohere Embed, with its errors."""

import asyncio

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dev.model_server.behaviour import Behaviour, Record
from dev.model_server.connections import cut
from dev.model_server.vectors import tokens_of, vector_of

TITAN = "amazon.titan-embed-text-v2:0"
COHERE_TEXTS = 96
COHERE_DIMENSIONS = {
    "cohere.embed-english-v3": (1_024,),
    "cohere.embed-multilingual-v3": (1_024,),
    "cohere.embed-v4:0": (256, 512, 1024, 1536),
}
FAULTS = {
    "throttled": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "quota": (400, "ServiceQuotaExceededException", "Your account's quota is used up."),
    "server_error": (500, "InternalServerException", "The system encountered an unexpected error."),
    "model_timeout": (408, "ModelTimeoutException", "Model has timed out in processing the request."),
    "unauthorized": (403, "ExpiredTokenException", "The security token included in the request is expired"),
    "forbidden": (403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
}
router = APIRouter()


@router.post("/model/{model}/invoke")
async def invoke(model: str, request: Request) -> Response:
    """Embed one text with Titan, or up to 96 with Cohere."""
    record: Record = request.app.state.record
    asked = await request.json()
    texts = asked.get("texts") or [asked.get("inputText", "")]
    tokens = sum(map(tokens_of, texts))
    answer = _answer(request, record, model, asked, texts, tokens)
    record.note(texts, tokens, answer.status_code)
    await asyncio.sleep(record.behaviour.answer_s)
    return answer


def _answer(request: Request, record: Record, model: str, asked: dict, texts: list[str], tokens: int) -> Response:
    if (wait := record.admit(tokens)) is not None:
        return _error(*FAULTS["throttled"], {"retry-after": f"{wait:.3f}"})
    fault = record.fault("POST /model/invoke") or record.behaviour.spoilt(texts)
    if fault and fault.kind in FAULTS:
        status, code, message = FAULTS[fault.kind]
        # As careless as a service can be: the session's token is in the message.
        return _error(status, code, f"{message} {request.headers.get('x-amz-security-token', '')}".strip(), fault.headers)
    if fault and fault.kind == "cut":
        cut(request)
    if fault and fault.kind == "error_body":
        return JSONResponse({"message": f"The model behind us does not answer {request.headers.get('x-amz-security-token', '')}"})
    if (model != TITAN and model not in COHERE_DIMENSIONS) or (fault and fault.kind == "no_model"):
        return _error(400, "ValidationException", "The provided model identifier is invalid.")
    if refusal := _bad_request(record.behaviour, texts):
        return refusal
    kind = fault.kind if fault else ""
    return _titan(asked, texts[0], kind) if model == TITAN else _cohere(model, asked, texts, tokens, kind)


def _bad_request(limits: Behaviour, texts: list[str]) -> Response | None:
    if len(texts) > COHERE_TEXTS:
        return _error(400, "ValidationException", f"Malformed input request: #/texts: expected maximum item count: {COHERE_TEXTS}")
    if longest := max((tokens_of(text) for text in texts if tokens_of(text) > limits.tokens_per_input), default=0):
        message = (
            f"400 Bad Request: Too many input tokens. Max input tokens: {limits.tokens_per_input}, request input token count: {longest}"
        )
        return _error(400, "ValidationException", message)
    if limits.refuses(texts):
        return _error(400, "ValidationException", "Malformed input request, please reformat your input and try again.")
    return None


def _titan(asked: dict, text: str, kind: str) -> Response:
    vector = _faulty(vector_of(text, asked["dimensions"], asked["normalize"]), kind)
    shown = None if kind == "null_vector" else _numbers(vector)
    return JSONResponse({"embedding": shown, "inputTextTokenCount": "some" if kind == "no_count" else tokens_of(text)})


def _cohere(model: str, asked: dict, texts: list[str], tokens: int, kind: str) -> Response:
    allowed = COHERE_DIMENSIONS[model]
    dimensions = asked.get("output_dimension", allowed[-1])
    if len(allowed) == 1 and "output_dimension" in asked:
        return _error(400, "ValidationException", "Malformed input request: extraneous key [output_dimension] is not permitted")
    # A question has another vector than a document of the same words.
    vectors = [_faulty(vector_of(f"{asked['input_type']} {text}", dimensions), kind) for text in texts][kind == "too_few" :]
    shown = [None if kind == "null_vector" else _numbers(vector) for vector in vectors]
    body = {"embeddings": {"float": shown}, "response_type": "embeddings_by_type", "texts": texts}
    return JSONResponse(body, headers={"x-amzn-bedrock-input-token-count": "some" if kind == "no_count" else str(tokens)})


def _faulty(vector: np.ndarray, kind: str) -> np.ndarray:
    return vector[1:] if kind == "wrong_dimension" else vector


def _numbers(vector: np.ndarray) -> list[float]:
    return [float(value) for value in vector]


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"message": message}, status, {"x-amzn-errortype": code, **(headers or {})})
