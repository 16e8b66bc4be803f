"""Amazon Titan Text Embeddings V2 on Bedrock: one text a call, 256, 512 or 1,024 dimensions."""

import numpy as np

from embedding_lakehouse.clients.models import Embedded
from embedding_lakehouse.clients.models.bedrock import BedrockModel
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tokens import estimated_tokens


class TitanModel:
    """`amazon.titan-embed-text-v2:0`; it scales its vectors to length 1 itself where the profile says so."""

    def __init__(self, profile: Profile) -> None:
        self._model = BedrockModel(profile)
        self._settings = {"dimensions": profile.dimensions, "normalize": profile.normalise}

    def embed(self, texts: list[str]) -> Embedded:
        """Vectors and token counts of `texts`, with a call for each."""
        answers = [self._model.invoke({"inputText": text, **self._settings}).body for text in texts]
        with self._model.reading():
            vectors = [np.asarray(answer["embedding"], np.float32) for answer in answers]
            counted = [answer.get("inputTextTokenCount") for answer in answers]
        counts = [count if isinstance(count, int) and count else estimated_tokens(text) for count, text in zip(counted, texts, strict=True)]
        return Embedded(vectors, counts)  # type: ignore[arg-type]
