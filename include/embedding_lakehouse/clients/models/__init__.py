"""Embedding models behind one small interface, each in a file of its own; `core/providers.py` names them."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from embedding_lakehouse.clients.models.refusals import WrongLength, reading_answer
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError, TransientError


class Embedded(NamedTuple):
    """What a model answers for n texts, in their order: vectors (float32, n x dimensions) and the tokens it counted for each."""

    vectors: np.ndarray
    token_counts: list[int]


class EmbeddingModel(Protocol):
    """Texts to vectors: one request to whoever computes them. It is made of its profile: `Class(profile)`."""

    def embed(self, texts: list[str]) -> Embedded:
        """Vectors and token counts of `texts`. Raises ModelBusy where asking again may help, TextsRefused where a text is at fault."""
        ...


@runtime_checkable
class EmbedsQuestions(Protocol):
    """A model that embeds a question in another way than a document."""

    def embed_questions(self, texts: list[str]) -> Embedded:
        """As `embed`, for questions."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A model that counts tokens itself, before it is asked, and may take less of a text than its profile says."""

    tokens_per_input: int

    def count_tokens(self, texts: list[str]) -> list[int]:
        """The tokens of each text, as the model will count them."""
        ...


@cache
def load_model(profile: Profile) -> EmbeddingModel:
    """The profile's model, loaded once a process. Raises ConfigurationError for a provider that is not known or not installed."""
    return _class_at(profile.provider_declared.path, profile)(profile)


def _class_at(path: str, profile: Profile) -> Callable[[Profile], EmbeddingModel]:
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"profile {profile.name!r}: provider {profile.provider!r} cannot be loaded from {path}: {error}"
        ) from error


def ask_model(embed: Callable[[list[str]], Embedded], texts: list[str], profile: Profile) -> Embedded:
    """What `embed` answers for the texts: a vector (float32), checked, and a number of tokens for each.

    Raises TransientError where it answers something else; otherwise as `embed` and `checked_vectors`.
    """
    with reading_answer(profile):
        answer = embed(texts)
        vectors = checked_vectors(answer.vectors, len(texts), profile)
        counts = [int(count) for count in answer.token_counts]
    if len(counts) != len(texts):
        raise TransientError(f"{profile.model_name} counted tokens for {len(counts)} of {len(texts)} texts of profile {profile.name!r}")
    return Embedded(vectors, counts)


def checked_vectors(vectors: np.ndarray, text_count: int, profile: Profile) -> np.ndarray:
    """The vectors as they came, float32, if there is one finite vector of the profile's length for each text.

    Raises WrongLength for a wrong length, TransientError for a wrong number, a value that is not finite or what is no vector.
    """
    name, dimensions = profile.model_name, profile.dimensions
    remedy = f"declare a profile beside {profile.name!r} that has the model's length"
    try:
        # A number too large for a float32 becomes infinite, and is refused as such below.
        with np.errstate(over="ignore"):
            vectors = np.asarray(vectors, dtype=np.float32)
    except ValueError as error:
        raise WrongLength(f"{name} answers vectors of different lengths, the profile declares {dimensions}: {remedy}") from error
    if len(vectors) != text_count:
        raise TransientError(f"{name} answered {len(vectors)} vectors for {text_count} texts of profile {profile.name!r}")
    if text_count and vectors.ndim < 2:
        raise TransientError(f"{name} answered something else than vectors under profile {profile.name!r}")
    if text_count and vectors.shape[1:] != (dimensions,):
        raise WrongLength(f"{name} answers vectors of {vectors.shape[1:]} dimensions, the profile declares {dimensions}: {remedy}")
    if not np.isfinite(vectors).all():
        raise TransientError(
            f"{name} answered a vector with NaN or infinity under profile {profile.name!r}: where it stays so, ask whoever serves the model"
        )
    return vectors


def of_length_one(vectors: np.ndarray) -> np.ndarray:
    """The vectors (n x dimensions), each scaled to length 1; a zero vector stays zero, one that is not finite stays so."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms != 0)
