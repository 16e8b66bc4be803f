"""Cohere Embed on Bedrock: up to 96 texts a call, and a question is embedded in another way than a document."""

from typing import Any

import numpy as np

from embedding_lakehouse.clients.models import Embedded, of_length_one
from embedding_lakehouse.clients.models.bedrock import BedrockModel
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tokens import apportioned, estimated_tokens

# Version 3 has one length, and refuses the setting.
FIXED_LENGTH = "embed-english-v3", "embed-multilingual-v3"


class CohereModel:
    """`cohere.embed-english-v3`, `cohere.embed-multilingual-v3` or `cohere.embed-v4:0`. A text that is too long is refused, never cut."""

    def __init__(self, profile: Profile) -> None:
        self._model = BedrockModel(profile)
        self._normalise = profile.normalise
        has_lengths = not any(name in profile.model_name for name in FIXED_LENGTH)
        self._settings: dict[str, Any] = {"truncate": "NONE", "embedding_types": ["float"]}
        self._settings |= {"output_dimension": profile.dimensions} if has_lengths else {}

    def embed(self, texts: list[str]) -> Embedded:
        """Vectors and token counts of `texts` as documents, in one call."""
        return self._embed(texts, "search_document")

    def embed_questions(self, texts: list[str]) -> Embedded:
        """Vectors and token counts of `texts` as questions, in one call."""
        return self._embed(texts, "search_query")

    def _embed(self, texts: list[str], input_type: str) -> Embedded:
        body, tokens = self._model.invoke({"texts": texts, "input_type": input_type, **self._settings})
        with self._model.reading():
            found = body["embeddings"]
            vectors = found["float"] if isinstance(found, dict) else found
            is_even = len({len(vector) for vector in vectors}) == 1
            scaled = of_length_one(np.asarray(vectors, np.float32)) if self._normalise and is_even else vectors
        estimates = [estimated_tokens(text) for text in texts]
        return Embedded(scaled, apportioned(tokens, estimates) if tokens else estimates)
