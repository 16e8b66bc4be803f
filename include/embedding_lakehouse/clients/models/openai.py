"""OpenAI's embeddings, and every server that speaks its API, through Airflow's connection `openai_default`.

The connection's host is the base URL, its password the API key. What is tried again is decided by our caller alone: the client's own
retries are off.
"""

import json
import logging
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import openai

from embedding_lakehouse.clients.airflow_connections import named_absence
from embedding_lakehouse.clients.models import Embedded, of_length_one
from embedding_lakehouse.clients.models.refusals import ModelBusy, TextsRefused, reading_answer, redacted
from embedding_lakehouse.core.delays import asked_delay
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tokens import apportioned, estimated_tokens
from embedding_lakehouse.errors import ConfigurationError

REQUEST_SECONDS = 60.0
WAITS = frozenset({408, 409, 425})
# What a request is refused for although its texts are right.
SETTINGS = frozenset({"model", "dimensions", "encoding_format"})
TOO_LONG = ("maximum context length", "too many tokens", "max_tokens_per_request", "too long", "maximum input length")

# The client writes a line for every request.
for chatty in ("httpx", "httpx2", "openai"):
    logging.getLogger(chatty).setLevel(logging.WARNING)


class OpenAIModel:
    """The profile's model behind an Airflow connection of type `openai`; the option `send_dimensions = false` leaves the length to it.

    Raises ConfigurationError where there is no such connection or no key in it.
    """

    def __init__(self, profile: Profile) -> None:
        self._name, self._profile = profile.model_name, profile
        self._normalise = profile.normalise
        self._connection = profile.connection or profile.provider_declared.connection
        self._client = _client(self._connection)
        self._settings: dict[str, Any] = {"dimensions": profile.dimensions} if dict(profile.options).get("send_dimensions", True) else {}

    def embed(self, texts: list[str]) -> Embedded:
        """Vectors and token counts of `texts`, in one request."""
        with reading_answer(self._profile, self._client.api_key):
            with self._named_errors():
                answer = self._client.embeddings.create(model=self._name, input=texts, encoding_format="base64", **self._settings)
                shown, usage = answer.data, answer.usage
            if shown is None:
                # Some servers say what went wrong as if nothing had.
                raise ValueError(f"no vectors, and the error {getattr(answer, 'error', None)}")
            vectors = self._scaled([vector_from(one.embedding) for one in in_order(shown, len(texts))])
        # One count for the whole request.
        estimates, total = [estimated_tokens(text) for text in texts], getattr(usage, "prompt_tokens", None)
        return Embedded(vectors, apportioned(total, estimates) if isinstance(total, int) else estimates)

    def _scaled(self, vectors: list[np.ndarray]) -> np.ndarray:
        is_even = len({len(vector) for vector in vectors}) == 1
        return of_length_one(np.stack(vectors)) if self._normalise and is_even else vectors  # type: ignore[return-value]

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turn the client's errors into this package's. None is kept as the cause: its text may repeat the key."""
        try:
            yield
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except (openai.APIConnectionError, openai.APIResponseValidationError, json.JSONDecodeError, AttributeError) as error:
            message = redacted(f"{type(error).__name__}: {error}", self._client.api_key)
            raise ModelBusy(f"{self._name} did not answer ({message})") from None

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        said = redacted(_said(error), self._client.api_key)
        status, where = error.status_code, f"the connection {self._connection}"
        if status == 429 and "insufficient_quota" in (error.code, error.type):
            return ConfigurationError(f"the account behind {where} has used up its quota: raise it ({said})")
        if status in WAITS or status == 429 or status >= 500:
            wait = asked_delay({key.lower(): value for key, value in error.response.headers.items()}, datetime.now(UTC))
            message = f"{self._name} is busy (status {status}): {said}"
            return ModelBusy(message, wait, is_throttled=status == 429, has_failed=status == 500)
        if status in (401, 403):
            return ConfigurationError(f"{self._name} refuses the API key of {where}: put a valid one there (status {status}: {said})")
        if status == 404:
            return ConfigurationError(
                f"there is no model {self._name!r} behind {where}: correct model_name of profile {self._profile.name!r}, or have the model "
                f"opened to the account ({said})"
            )
        if error.param in SETTINGS:
            return ConfigurationError(f"{self._name} refuses the profile's settings: {said}")
        return TextsRefused(f"{self._name} refuses the request (status {status}): {said}", any(sign in said.lower() for sign in TOO_LONG))


def _client(connection: str) -> openai.OpenAI:
    from airflow.providers.openai.hooks.openai import OpenAIHook

    try:
        with named_absence(connection, "openai with the API key as its password"):
            return OpenAIHook(conn_id=connection).get_conn().with_options(max_retries=0, timeout=REQUEST_SECONDS)
    except openai.OpenAIError:
        raise ConfigurationError(f"the connection {connection} has no password: put the API key there") from None


def _said(error: openai.APIStatusError) -> str:
    """What the service says, without the status and the JSON around it."""
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message)


def in_order(shown: list[Any], texts: int) -> list[Any]:
    """What a server shows for so many texts, in their order: by its indexes, or as it came where all have the same index or none.

    Raises ValueError for indexes that leave open whose a vector is.
    """
    indexes = [one.index for one in shown]
    # Too few or too many of them are told by their number.
    if len(indexes) != texts or len(set(indexes)) == 1:
        return shown
    if sorted(indexes) != list(range(texts)):
        raise ValueError("the indexes are not those of the texts, each once")
    return sorted(shown, key=lambda one: one.index)


def vector_from(embedding: Any) -> np.ndarray:
    """A vector as it came: base64 of float32, or numbers from a server that knows no other form."""
    if isinstance(embedding, str):
        return np.frombuffer(b64decode(embedding), dtype="<f4")
    return np.asarray(embedding, dtype=np.float32)
