"""The whole way from documents to an index and back, in single calls: documents put in place, embedded, rolled back, synced, compared."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.batches import BatchRow
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from embedding_lakehouse.steps.roll_back_embeddings.planning import plan_roll_back
from tests.batches import BatchRun, CountingModel, current_documents, put_documents, run_batch
from tests.index_fixtures import Following

REASON = "a test"


@dataclass
class RollingBack:
    """A profile's documents, batches and index. The model counts what it is asked for; its vectors are those of its `flavour`."""

    following: Following
    model: CountingModel = field(default_factory=CountingModel)

    @property
    def lake(self) -> Lake:
        return self.following.lake

    @property
    def profile(self) -> str:
        return self.following.profile.name

    def embed(self, documents: dict[str, str]) -> str:
        """Make these the source's documents and publish what changed; the batch id."""
        put_documents(self.lake, documents)
        return run_batch(self.lake, self.profile, self.model).batch_id

    def begin(self, documents: dict[str, str]) -> BatchRun:
        """The same, stopped before it is published."""
        put_documents(self.lake, documents)
        return BatchRun(self.lake, self.profile, self.model).until("commit")

    def plan(self, to: str = "", without_batch: str = "", reason: str = REASON, **options: Any) -> dict[str, Any]:
        return plan_roll_back(self.profile, to, without_batch, reason, lake=self.lake, **options)

    def roll_back(self, to: str = "", without_batch: str = "") -> dict[str, Any]:
        """Plan and apply; the plan."""
        plan = self.plan(to, without_batch)
        apply_roll_back(plan, "roll_back_embeddings", "a run", self.lake)
        return plan

    def sync(self) -> tuple[int, int]:
        return self.following.sync()

    def row(self, batch_id: str) -> BatchRow:
        return batches.batch(self.lake, batch_id)

    def states(self) -> dict[str, str]:
        """The state of every batch by its id."""
        return {row["batch_id"]: row["state"] for row in batches.journal(self.lake).rows()}

    def current(self) -> dict[str, list[str]]:
        """The texts of every current document's chunks, in reading order."""
        texts = {row["chunk_id"]: row["chunk_text"] for row in self._rows()}
        return {doc: [texts[chunk] for chunk in chunks] for doc, chunks in current_documents(self.lake, self.profile).items()}

    def expected_records(self) -> dict[str, tuple[bytes, str]]:
        """Vector and batch of every current chunk: of its newest row that no rejected batch made."""
        rejected = {batch for batch, state in self.states().items() if state == "rejected"}
        usable = [row for row in self._rows() if not {row["batch_id"], row["copied_from_batch"]} & rejected]
        newest = {row["chunk_id"]: row for row in sorted(usable, key=lambda row: row["batch_id"])}
        wanted = [chunk for chunks in current_documents(self.lake, self.profile).values() for chunk in chunks]
        return {chunk: (np.asarray(newest[chunk]["embedding"], np.float32).tobytes(), newest[chunk]["batch_id"]) for chunk in wanted}

    def records(self) -> dict[str, tuple[bytes, str]]:
        """Vector and batch of every record that the index holds."""
        return {name: (record.values.tobytes(), record.metadata["batch_id"]) for name, record in self.following.records().items()}

    def _rows(self) -> list[dict[str, Any]]:
        return scan(self.lake.table(DOCUMENT_EMBEDDINGS), profile=self.profile).to_arrow().to_pylist()


@pytest.fixture
def rolling(following: Following) -> RollingBack:
    """The test's own profile with nothing in it yet."""
    return RollingBack(following)
