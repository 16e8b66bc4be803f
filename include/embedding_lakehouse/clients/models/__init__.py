"""Embedding models behind one small interface, each in a file of its own."""

from functools import cache
from typing import NamedTuple, Protocol

import numpy as np

from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError, TransientError


class Embedded(NamedTuple):
    """What a model answers for n texts, in their order: vectors (float32, n x dimensions) and the tokens it counted for each."""

    vectors: np.ndarray
    token_counts: list[int]


class EmbeddingModel(Protocol):
    """Texts to vectors."""

    def embed(self, texts: list[str]) -> Embedded:
        """Vectors and token counts of `texts`. Raises TransientError where asking again may help."""
        ...


@cache
def load_model(profile: Profile) -> EmbeddingModel:
    """The profile's model, loaded once a process. Raises ConfigurationError for a provider without a file here."""
    match profile.provider:
        case "wordllama":
            from embedding_lakehouse.clients.models.wordllama import WordLlamaModel

            return WordLlamaModel(profile.model_name, profile.dimensions, profile.normalise)
    raise ConfigurationError(f"profile {profile.name!r}: unknown provider {profile.provider!r}; known is wordllama")


def checked_vectors(vectors: np.ndarray, text_count: int, dimensions: int, model_name: str) -> np.ndarray:
    """The vectors as they came, float32, if there is one finite vector of the right length for each text.

    Raises ConfigurationError for a wrong length, TransientError for a wrong number or a value that is not finite.
    """
    try:
        # A number too large for a float32 becomes infinite, and is refused as such below.
        with np.errstate(over="ignore"):
            vectors = np.asarray(vectors, dtype=np.float32)
    except ValueError as error:
        raise ConfigurationError(f"{model_name} answers vectors of different lengths, the profile declares {dimensions}") from error
    if len(vectors) != text_count:
        raise TransientError(f"{model_name} answered {len(vectors)} vectors for {text_count} texts")
    if text_count and vectors.shape[1:] != (dimensions,):
        raise ConfigurationError(f"{model_name} answers vectors of {vectors.shape[1:]} dimensions, the profile declares {dimensions}")
    if not np.isfinite(vectors).all():
        raise TransientError(f"{model_name} answered a vector with NaN or infinity")
    return vectors
