"""A profile that is monitored, in single calls: documents put in place and embedded, measures taken, a verdict concluded."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded, EmbeddingModel, load_model
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.verdicts import verdict
from embedding_lakehouse.core.monitoring_tables import DRIFT_MEASURES
from embedding_lakehouse.steps.monitor_embeddings import controlling, measuring
from embedding_lakehouse.steps.monitor_embeddings.concluding import conclude_comparison
from embedding_lakehouse.steps.monitor_embeddings.planning import plan_comparison, sample_states
from tests.batches import put_documents, run_batch
from tests.index_fixtures import Following
from tests.lake_fixtures import PROFILES, declare

HARBOUR = ("harbour", "crane", "pilot", "tide", "vessel", "cargo", "berth", "quay", "tug", "mooring", "customs", "container", "captain")
KITCHEN = ("flour", "oven", "butter", "recipe", "salt", "onion", "simmer", "pan", "whisk", "dough", "garlic", "pepper", "roast")
# Of the bundled model, and the same with another splitter.
WATCHED = """
[profiles.watched]
provider = "wordllama"
model_name = "l2_supercat"
model_version = "watched-v1"
dimensions = 256
chunking = { strategy = "structure", max_characters = 200 }
"""
SHORTER = WATCHED.replace("200", "60")


@dataclass
class WordsModel:
    """The mean of its words' vectors, normalised: like texts have like vectors. `turned` is the share in which it answers otherwise."""

    dimensions: int = 8
    turned: float = 0.0

    def embed(self, texts: list[str]) -> Embedded:
        return Embedded(np.array([self.vector(text) for text in texts], np.float32), [len(text.split()) for text in texts])

    def vector(self, text: str) -> np.ndarray:
        """The vector of a text, of length 1."""
        vector = np.mean([self._word(word) for word in text.lower().split()], axis=0)
        vector = vector + self.turned * np.roll(vector, 1)
        return vector / np.linalg.norm(vector)

    def _word(self, word: str) -> np.ndarray:
        numbers = np.frombuffer(sha256(word.strip(".#").encode()).digest(), np.uint8)[: self.dimensions]
        return numbers.astype(np.float64) / 255 - 0.3


@dataclass
class Monitoring:
    """A profile's documents and batches, and its monitoring; without an index, unless it is given a service."""

    lake: Lake
    profile: str = "small"
    model: EmbeddingModel = field(default_factory=WordsModel)
    service: IndexService | None = None

    def embed(self, documents: dict[str, str], at: datetime | None = None) -> str:
        """Make these the source's documents and publish what changed, as if at a time; the batch id."""
        put_documents(self.lake, documents)
        batch_id = run_batch(self.lake, self.profile, self.model).batch_id
        if at:
            journal(self.lake).change(lambda rows: [row | {"published_at": at} for row in rows if row["batch_id"] == batch_id])
        return batch_id

    def monitor(self, now: datetime | None = None, **options: Any) -> dict[str, Any]:
        """One run of the DAG up to its verdict, which is answered."""
        compared = sample_states(plan_comparison(self.profile, lake=self.lake, now=now, **options), self.lake)
        return verdict(self.lake, conclude_comparison(compared, self.measured(compared), "monitor_embeddings", "a run", self.lake, now))

    def measured(self, compared: dict[str, Any]) -> Iterable[list[dict[str, Any]]]:
        """Every group of measures, one after the other."""
        for step in (measuring.measure_documents, measuring.measure_texts, measuring.measure_vectors, controlling.measure_models):
            yield step(compared, self.lake)
        yield controlling.measure_provider(compared, self.lake, self.model)
        yield controlling.measure_index(compared, self.lake, self.service)

    def measures(self, row: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """What a run measured, by the measures' names."""
        rows = scan(self.lake.table(DRIFT_MEASURES), monitor_id=row["monitor_id"]).to_arrow().to_pylist()
        assert len({row["measure"] for row in rows}) == len(rows)
        return {row["measure"]: row for row in rows}


def prose(seed: str, words: Sequence[str] = HARBOUR, paragraphs: int = 4) -> str:
    """Some paragraphs of made-up sentences, always the same for a seed."""
    draw = random.Random(seed)
    return "\n\n".join(" ".join(draw.choices(words, k=draw.randint(5, 9))).capitalize() + "." for _ in range(paragraphs))


def corpus(size: int = 40, words: Sequence[str] = HARBOUR) -> dict[str, str]:
    """Documents of one kind."""
    return {f"doc {number:03}": prose(f"doc {number}", words) for number in range(size)}


def moment(day: float) -> datetime:
    """Noon of a day, counted from a fixed one."""
    return datetime.fromtimestamp(1_900_000_000 + 86_400 * day, UTC)


@pytest.fixture
def monitoring(lake: Lake, profiles: Path) -> Monitoring:
    """The profile `watched` of the bundled model with nothing in it yet, and without an index."""
    declare(profiles, WATCHED + PROFILES)
    return Monitoring(lake, "watched", load_model(settings.profile("watched")))


@pytest.fixture
def indexed(following: Following) -> Monitoring:
    """A profile with an index of its own, which nothing was written to yet."""
    return Monitoring(following.lake, following.profile.name, service=following.service)
