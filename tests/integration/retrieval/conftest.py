"""A searchable index of two documents with real vectors, and a corpus whose history is known."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.receipts import Receipt
from embedding_lakehouse.receipts import explain
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from embedding_lakehouse.steps.roll_back_embeddings.planning import plan_roll_back
from embedding_lakehouse.steps.set_up_index import create_index
from tests.batches import BatchRun, put_documents, run_batch
from tests.index_fixtures import API_KEY, Following, builder, faulty_server, following
from tests.lake_builder import LakeBuilder
from tests.lake_fixtures import declare, empty_lake, lake, module_lake, module_profiles, profiles

__all__ = ["builder", "empty_lake", "faulty_server", "following", "lake", "module_lake", "module_profiles", "profiles"]

CORPUS = {
    "whales.md": ["Blue whales are the largest animals that ever lived.", "They eat krill, tons of it every day."],
    "bread.md": ["Knead the dough for ten minutes.", "Bake the bread at 220 degrees until the crust is brown."],
}


@pytest.fixture
def profile(request: pytest.FixtureRequest, profiles: Path) -> Profile:
    """The default profile, of 8 dimensions or of its parameter, with another one beside it; no other test has either."""
    return _declared(profiles, getattr(request, "param", 8))


def _declared(profiles: Path, dimensions: int) -> Profile:
    name = f"test-{uuid4().hex[:12]}"
    declare(profiles, _declaration(name, dimensions) + _declaration(f"{name}-other", dimensions))
    return settings.profile(name)


def _declaration(name: str, dimensions: int) -> str:
    return f"""
        [profiles."{name}"]
        provider = "wordllama"
        model_name = "l2_supercat"
        model_version = "{name}-v1"
        dimensions = {dimensions}
        chunking = {{ strategy = "structure", max_characters = 60 }}
        index = {{ name = "{name}" }}
    """


@pytest.fixture
def filled(builder: LakeBuilder, following: Following, monkeypatch: pytest.MonkeyPatch) -> Following:
    """An index of the corpus with its real vectors, behind the connection `pinecone_default`."""
    model = load_model(builder.profile)
    builder.embed = lambda text: model.embed([text])[0][0].tolist()
    builder.title({"bread.md": "Baking bread"})
    builder.publish(CORPUS)
    following.sync()
    connection = {"conn_type": "generic", "host": following.service.host, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINECONE_DEFAULT", json.dumps(connection))
    return following


@dataclass
class History:
    """What happens to a source and its embeddings, one event after the other, with the index following."""

    following: Following

    def embed(self, documents: Mapping[str, str]) -> BatchRun:
        """Make these the source's documents, embed what changed, and lead the index there."""
        put_documents(self.following.lake, documents)
        run = run_batch(self.following.lake, self.following.profile.name)
        self.following.sync()
        return run

    def roll_back(self, run: BatchRun) -> None:
        """Take one batch back, and the index with it."""
        plan = plan_roll_back(self.following.profile.name, without_batch=run.batch_id, reason="wrong text", lake=self.following.lake)
        apply_roll_back(plan, "roll_back_embeddings", "a run", self.following.lake)
        self.following.sync()

    def now(self) -> datetime:
        """The time at which a question is answered."""
        return datetime.now(UTC)

    def receipt(self, record_id: str, profile: str | None = None, at: datetime | None = None) -> Receipt:
        """The receipt of the one record."""
        (receipt,) = explain([record_id], profile, at, self.following.lake).receipts
        return receipt


@pytest.fixture(scope="module")
def history(module_lake: Lake, module_profiles: Path, faulty_server: str) -> History:
    """A lake without any event yet, which all tests of a module share."""
    profile, service = _declared(module_profiles, 8), IndexService(API_KEY, faulty_server, patience=20)
    create_index(profile.name, lake=module_lake, service=service)
    return History(Following(module_lake, profile, service))
