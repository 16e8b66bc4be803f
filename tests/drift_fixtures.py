"""A profile that is monitored, in single calls: its documents put in place and embedded, each group of measures taken, a verdict concluded."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded, EmbeddingModel
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.verdicts import verdict
from embedding_lakehouse.core.monitoring_tables import DRIFT_MEASURES
from embedding_lakehouse.steps.monitor_embeddings import controlling, measuring
from embedding_lakehouse.steps.monitor_embeddings.concluding import conclude_comparison
from embedding_lakehouse.steps.monitor_embeddings.planning import plan_comparison, sample_states
from tests.batches import put_documents, run_batch

HARBOUR = "harbour crane pilot tide vessel cargo berth quay tug mooring customs container captain lock anchor buoy ferry dock keel wharf".split()
KITCHEN = "flour oven butter recipe salt onion simmer pan whisk dough garlic pepper roast soup basil knife cream yeast stew lemon".split()


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

    def embed(self, documents: dict[str, str]) -> str:
        """Make these the source's documents and publish what changed; the batch id."""
        put_documents(self.lake, documents)
        return run_batch(self.lake, self.profile, self.model).batch_id

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


def prose(seed: str, words: list[str] = HARBOUR, paragraphs: int = 4) -> str:
    """Some paragraphs of made-up sentences, always the same for a seed."""
    draw = random.Random(seed)
    return "\n\n".join(" ".join(draw.choices(words, k=draw.randint(5, 9))).capitalize() + "." for _ in range(paragraphs))


def corpus(size: int = 40, words: list[str] = HARBOUR) -> dict[str, str]:
    """Documents of one kind."""
    return {f"doc {number:03}": prose(f"doc {number}", words) for number in range(size)}


def moment(day: int) -> datetime:
    """Noon of a day, counted from a fixed one."""
    return datetime.fromtimestamp(1_900_000_000 + 86_400 * day, UTC)


@pytest.fixture
def monitoring(lake: Lake) -> Monitoring:
    """The profile `small` with nothing in it yet, and without an index."""
    return Monitoring(lake)
