"""SentenceTransformers: any of its models by name, or from a local folder. Comes with the extra `sentence-transformers`.

A model by name is fetched when it is first used; with `HF_HUB_OFFLINE=1` it must be there already.
"""

import numpy as np

from embedding_lakehouse.clients.models import Embedded
from embedding_lakehouse.clients.models.refusals import TextsRefused
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError

TEXTS_AT_ONCE = 32


class SentenceTransformersModel:
    """The model `model_name`, a name or a folder; fewer `dimensions` than it has take the first ones, as Matryoshka models allow.

    Raises ConfigurationError for a model that cannot be loaded or has fewer dimensions.
    """

    def __init__(self, profile: Profile) -> None:
        self._name = profile.model_name
        self._normalise = profile.normalise
        try:
            # Here and not above: it brings torch along, which is not to be loaded before a task needs it.
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ConfigurationError(f"profile {profile.name!r} needs the extra sentence-transformers: {error}") from error
        try:
            self._model = SentenceTransformer(profile.model_name, truncate_dim=profile.dimensions)
        except (OSError, ValueError, RuntimeError) as error:
            raise ConfigurationError(f"SentenceTransformers cannot load {profile.model_name!r}: {error}") from error
        self.tokens_per_input = int(self._model.max_seq_length or 0)

    def count_tokens(self, texts: list[str]) -> list[int]:
        """The tokens of each text, with those that the model puts around it."""
        return [len(ids) for ids in self._model.tokenizer(texts, truncation=False, verbose=False)["input_ids"]] if texts else []

    def embed(self, texts: list[str]) -> Embedded:
        """Vectors and token counts of `texts`. Raises TextsRefused rather than cut one that is too long."""
        counts = self.count_tokens(texts)
        if self.tokens_per_input and counts and max(counts) > self.tokens_per_input:
            raise TextsRefused(f"{self._name} takes {self.tokens_per_input} tokens, a text has {max(counts)}", is_too_long=True)
        vectors = self._model.encode(
            texts, batch_size=TEXTS_AT_ONCE, normalize_embeddings=self._normalise, convert_to_numpy=True, show_progress_bar=False
        )
        return Embedded(np.asarray(vectors, np.float32), counts)
