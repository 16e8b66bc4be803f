"""The embedding model of every figure, ours and the peers' alike, with a count of what it was asked for."""

import time
from pathlib import Path

from embedding_lakehouse.clients.models import Embedded, EmbeddingModel, load_model
from embedding_lakehouse.core.profiles import Profile, parse_profiles

PROFILES = Path(__file__).with_name("profiles.toml")
PROFILE = "words"


def profile() -> Profile:
    """The profile under which everything is embedded."""
    return parse_profiles(PROFILES.read_text(), PROFILES.name)[PROFILE]


class CountingModel:
    """The profile's model; `texts` and `seconds` are what was spent inside it, without the time to load its weights."""

    def __init__(self) -> None:
        self._model: EmbeddingModel | None = None
        self.texts = 0
        self.seconds = 0.0

    def load(self) -> None:
        """Load the weights now, so that the first call does not."""
        self._model = self._model or load_model(profile())

    def embed(self, texts: list[str]) -> Embedded:
        """Vectors and token counts of `texts`."""
        self.load()
        assert self._model is not None
        begun = time.perf_counter()
        answer = self._model.embed(texts)
        self.seconds += time.perf_counter() - begun
        self.texts += len(texts)
        return answer
