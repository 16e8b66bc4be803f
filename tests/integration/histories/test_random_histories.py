"""Whatever happens in whatever order, and whatever is killed on the way: lake and index hold what a simple model says, bit for bit."""

import os
import random
from collections.abc import Callable

import pytest

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.batches import open_batch
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.chunking import chunk_document
from embedding_lakehouse.core.roll_backs import RollBack
from embedding_lakehouse.errors import NothingToDo
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from tests.batches import BatchRun, put_documents
from tests.maintenance_fixtures import compact
from tests.reconcile_fixtures import Reconciling
from tests.release_fixtures import Rebuilding
from tests.roll_back_fixtures import RollingBack
from tests.simple_model import SimpleModel

DOCUMENTS = ("a", "b", "c", "d", "e")
SECTIONS = tuple(f"# Part {number}\n\nThis is what part number {number} has to say." for number in range(9))
STEPS = 14
# More of them: HISTORY_SEEDS=100,101,102
SEEDS = [int(seed) for seed in os.environ.get("HISTORY_SEEDS", "1,2,3").split(",")]


class History:
    """A random history of a profile, beside the simple model of it."""

    def __init__(self, rolling: RollingBack, seed: int) -> None:
        self.rolling = rolling
        self.random = random.Random(seed)
        self.model = SimpleModel()
        self.source: dict[str, str] = {}
        self.told: list[str] = []
        self.rebuilding = Rebuilding(rolling.lake, rolling.following.profile, rolling.following.service)

    def run(self, steps: int) -> None:
        """Do `steps` random things, then settle, then compare everything."""
        actions: list[Callable[[], object]] = [self.edit, self.edit, self.delete, self.embed, self.embed, self.sync, self.undo_one]
        actions += [
            self.back,
            self.killed_embed,
            self.killed_roll_back,
            self.killed_sync,
            self.rebuild,
            self.killed_rebuild,
            self.reconcile,
            self.compact,
        ]
        self.edit()
        self.embed()
        for _ in range(steps):
            action = self.random.choice(actions)
            self.told.append(action.__name__)
            action()
            self.compare_lake()
        self.settle()

    def edit(self) -> None:
        """Give some documents other sections."""
        for doc in self.random.sample(DOCUMENTS, 2):
            self.source[doc] = "\n\n".join(self.random.sample(SECTIONS, self.random.randint(1, 3)))

    def delete(self) -> None:
        if len(self.source) > 1:
            del self.source[self.random.choice(sorted(self.source))]

    def embed(self, last: str = "publish") -> None:
        """Publish what the source holds, in as many runs as the open batch and the changes since need."""
        put_documents(self.rolling.lake, self.source)
        while True:
            self.rolling.model.texts.clear()
            run = BatchRun(self.rolling.lake, self.rolling.profile, self.rolling.model).until(last)
            if not run.result["plan"] or last != "publish":
                return
            self._published(run.batch_id)

    def killed_embed(self) -> None:
        """A run that dies after a random step; the next one finishes its batch before it looks at what changed since."""
        before = dict(self.source)
        self.embed(self.random.choice(["plan", "chunk", "price", "embed", "commit"]))
        if self._open():
            self.edit()
            later, self.source = self.source, before
            put_documents(self.rolling.lake, later)
            run = BatchRun(self.rolling.lake, self.rolling.profile, self.rolling.model).until("publish")
            self._published(run.batch_id)
            self.source = later

    def _published(self, batch_id: str) -> None:
        """The model follows a published batch, which embedded the source as it was when the batch was planned."""
        self.model.embed(batch_id, self.wanted())

    def sync(self) -> None:
        self.rolling.model.texts.clear()
        self.rolling.sync()
        self.compare_index()

    def killed_sync(self) -> None:
        """A sync that dies after it wrote some of its shards, or before it removed anything."""
        shards = self.rolling.following.plan()
        for shard in shards[: self.random.randint(0, len(shards))]:
            self.rolling.following.upsert(shard)

    def rebuild(self) -> None:
        """A fresh namespace from the record, or the one that a killed rebuild left; it stands where the lake is."""
        if any(self.model.current().values()):
            self.rolling.model.texts.clear()
            self.rebuilding.rebuild()
            self.compare_index()

    def killed_rebuild(self) -> None:
        """A rebuild that dies after a random step before it is switched to; the next one goes on with it."""
        if any(self.model.current().values()):
            self.rebuilding.rebuild_until(self.random.choice(["begin_rebuild", "fill_shard", "record_fill", "verify_release"]))

    def reconcile(self) -> None:
        """Somebody else removes, changes and adds records; the comparison finds all of it and repairs it."""
        self.sync()
        following = self.rolling.following
        records = following.records()
        if not records:
            return
        changed, *_ = self.random.sample(sorted(records), 1)
        sdk = following.index._sdk
        sdk.upsert(vectors=[("foreign", [1.0] * 8), (changed, [2.0] * 8, {"doc_id": "nobody's"})], namespace=following.namespace)
        if len(records) > 1:
            sdk.delete(ids=[next(name for name in sorted(records) if name != changed)], namespace=following.namespace)
        figures = Reconciling(following).reconcile(ask=False)
        assert (figures["orphaned_count"], figures["missing_count"]) == (1, int(len(records) > 1)), self.told
        self.compare_index()

    def compact(self) -> None:
        """The small files of both tables are written together, as maintenance does."""
        compact(self.rolling.lake)

    def undo_one(self) -> None:
        """One batch that is not rejected yet is undone; those after it stay."""
        left = [batch for batch in self.model.batches if batch not in self.model.rejected()]
        self._roll_back(without_batch=self.random.choice(left))

    def back(self) -> None:
        """Back to a random batch, rejected or not, roll-back or not."""
        self._roll_back(to=self.random.choice(self.model.batches))

    def killed_roll_back(self) -> None:
        """A roll-back that dies between marking its batches and moving the ledger; the next one finishes it."""
        self.rolling.model.texts.clear()
        left = [batch for batch in self.model.batches if batch not in self.model.rejected()]
        plan = RollBack.of_keys(self.rolling.plan(without_batch=self.random.choice(left)))
        run = {"dag_id": "roll_back_embeddings", "run_id": "a killed run"}
        batches.begin_roll_back(self.rolling.lake, self.rolling.following.profile, plan, run)
        self._apply(self.rolling.plan(to="whatever"))

    def _roll_back(self, **asked: str) -> None:
        self.rolling.model.texts.clear()
        try:
            plan = self.rolling.plan(**asked)
        except NothingToDo:
            return
        self._apply(plan)

    def _apply(self, plan: dict) -> None:
        apply_roll_back(plan, lake=self.rolling.lake)
        self.model.roll_back(plan["batch_id"], plan["undone"])
        assert self.rolling.model.texts == []

    def settle(self) -> None:
        """Embed and sync what is left."""
        self.embed()
        self.sync()

    def wanted(self) -> dict[str, list[str]]:
        """The chunks of the source's documents."""
        return {doc: self._chunks(text) for doc, text in self.source.items()}

    def compare_lake(self) -> None:
        assert self.rolling.current() == self.model.current(), self.told

    def compare_index(self) -> None:
        """Ids, vectors and batches of the index against the rows that the simple model names."""
        expected = {(doc, text): self.model.row((doc, text)) for doc, texts in self.model.current().items() for text in texts}
        found = self.rolling.following.records()
        held = {(record.metadata["doc_id"], record.metadata["text"]): record for record in found.values()}
        assert held.keys() == expected.keys(), self.told
        for chunk, record in held.items():
            assert record.metadata["batch_id"] == expected[chunk].batch, (self.told, chunk)
            assert record.values.tobytes() == self.rolling.model.vector(chunk[1]).tobytes(), (self.told, chunk)
        assert self.rolling.model.texts == [], self.told
        release = Releases(self.rolling.lake).live(self.rolling.profile)
        assert release["record_count"] == len(expected), self.told
        assert release["id_checksum"] == checksum(found), self.told

    def _open(self) -> bool:
        return open_batch(batches.journal(self.rolling.lake).rows(), self.rolling.profile) is not None

    def _chunks(self, text: str) -> list[str]:
        chunking = self.rolling.following.profile.chunking
        return [chunk.text for chunk in chunk_document(text, chunking, "text/markdown")]


@pytest.mark.parametrize("seed", SEEDS)
def test_lake_and_index_equal_the_simple_model_after_any_history(rolling: RollingBack, seed: int) -> None:
    history = History(rolling, seed)
    history.run(STEPS)
    assert rolling.current() == history.wanted()
