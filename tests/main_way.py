"""The main way of the DAGs, from a prefix of a bucket to an index and back: the same story on whatever lake the connections lead to.

A module gives the fixture `way` and a subclass of `MainWay`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dev.stack.component import ROOT
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.sql import statements
from embedding_lakehouse.core.chunking import chunk_document
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.index_tables import INDEX_RECONCILIATIONS
from embedding_lakehouse.core.tables import INDEX_SYNCS, SOURCE_DOCUMENTS
from embedding_lakehouse.receipts import explain
from embedding_lakehouse.steps.set_up import create_tables, create_views
from embedding_lakehouse.steps.set_up_index import create_index
from tests.batches import current_documents, run_batch
from tests.index_fixtures import API_KEY
from tests.ingest_runner import Ingestion
from tests.reconcile_fixtures import Reconciling
from tests.release_fixtures import Rebuilding
from tests.roll_back_fixtures import RollingBack

PROFILE = """
[profiles.bundled]
provider = "wordllama"
model_name = "l2_supercat"
model_version = "bundled-v1"
dimensions = 256
chunking = { strategy = "structure", max_characters = 60 }
batch = { documents = 40, shard_documents = 2, checkpoint_chunks = 2 }
index = { name = "bundled" }
"""
WORN = "# Pumps\n\nA pump lifts water; ‘grease’ it each month.\n\n## Wear\n\nAfter 2,000 hours its seal is worn: ± 0.1 mm.\n"
NEW = WORN.replace("its seal is worn", "change its seal")
BEFORE = {
    "pumps.md": WORN,
    "gates.md": "# Gates\n\nA gate closes against the flow.\n",
    "tools/keys.txt": "The keys hang behind the door.\n",
    "locks.md": "# Locks\n\nTwo gates make a lock.\n\n## Filling\n\nOpen the upper paddles slowly.\n",
}
AFTER = {name: text for name, text in BEFORE.items() if name != "gates.md"} | {
    "pumps.md": NEW,
    "weirs.md": "# Weirs\n\nA weir holds the water back.\n",
}
# Beside the prefix, and never to be seen.
ELSEWHERE = {"handbook-old/pumps.md": "An old text.", "private/pay.csv": "id,text\n1,secret\n"}


@dataclass
class Way:
    """A bucket of documents, a lake and an index, changed by the DAGs' steps alone; what is in them is read from there."""

    bucket: Any
    service: IndexService
    batches: list[str] = field(default_factory=list)
    answered_at: list[datetime] = field(default_factory=list)

    @property
    def lake(self) -> Lake:
        """The lake behind the connections."""
        return connect()

    @property
    def following(self) -> Rebuilding:
        """The index as it follows the lake."""
        return Rebuilding(self.lake, settings.profile("bundled"), self.service)

    @property
    def rolling(self) -> RollingBack:
        """What the lake and the index hold."""
        return RollingBack(self.following)

    @property
    def source(self) -> str:
        return f"s3://{self.bucket.name}/handbook"

    def put(self, documents: Mapping[str, str]) -> None:
        """Make these the objects of the prefix."""
        for item in self.bucket.objects.filter(Prefix="handbook/"):
            if item.key.removeprefix("handbook/") not in documents:
                item.delete()
        for name, text in documents.items():
            self.bucket.put_object(Key=f"handbook/{name}", Body=text.encode())

    def follow(self) -> None:
        """Ingest, embed and sync, as the assets would chain them."""
        self.ingest()
        self.embed()
        self.sync()
        self.batches.append(max(self.rolling.states()))
        self.answered_at.append(datetime.now(UTC))

    def set_up(self) -> None:
        create_tables(lake=self.lake)
        create_views(self.lake)
        create_index("bundled", lake=self.lake, service=self.service)

    def ingest(self) -> None:
        Ingestion(self.lake, self.source, {"allow_deletes": True}).run()

    def embed(self) -> None:
        run_batch(self.lake, "bundled", load_model(settings.profile("bundled")))

    def sync(self) -> None:
        self.following.sync()

    def roll_back(self, without_batch: str) -> None:
        self.rolling.roll_back(without_batch=without_batch)

    def rebuild(self) -> None:
        """By a bulk import, whose files are staged beside the tables."""
        self.following.rebuild(method="import")

    def reconcile(self) -> None:
        Reconciling(self.following).reconcile()

    def rows(self, table: Any) -> list[dict[str, Any]]:
        """A table as it is now."""
        return self.lake.table(table).scan().to_arrow().to_pylist()


class DagWay(Way):
    """The same by the DAGs. A second batch is embedded by steps, since its audit asks Trino as much as the first one's."""

    def run(self, name: str, **params: Any) -> None:
        """One run of a DAG, of which no task may fail."""
        states = {(task.task_id, str(task.state)) for task in dag_of(name).test(run_conf=params).get_task_instances()}
        assert {state for _, state in states} <= {"success", "skipped"}, states

    def set_up(self) -> None:
        self.run("set_up_lakehouse")

    def ingest(self) -> None:
        self.run("ingest_documents", source=self.source, allow_deletes=True)

    def embed(self) -> None:
        if self.batches:
            super().embed()
        else:
            self.run("embed_documents")

    def sync(self) -> None:
        self.run("sync_index")

    def roll_back(self, without_batch: str) -> None:
        self.run("roll_back_embeddings", without_batch=without_batch, reason="a test", ask=False)

    def rebuild(self) -> None:
        self.run("rebuild_index", dry_run=False, method="import", reason="a test")

    def reconcile(self) -> None:
        self.run("reconcile_index")


@cache
def dag_of(name: str) -> Any:
    """A DAG under the declared profile."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(ROOT / "dags" / f"{name}.py").dags[name]


@contextmanager
def index_server(home: Path, environment: Mapping[str, str]) -> Iterator[IndexService]:
    """A Pinecone server that reads its imports from the bucket that its environment leads to."""
    command = [sys.executable, "-m", "dev.pinecone_server", "--port", "0", "--home", str(home)]
    environment = os.environ | environment | {"PINECONE_API_KEY": API_KEY}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        line = next(line for line in server.stdout if line.startswith("Listening on "))
        yield IndexService(API_KEY, line.removeprefix("Listening on ").split(",")[0])
        server.terminate()


def vectors_of(documents: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The vector (float32) of every chunk of the documents by its id: what no lake has any part in."""
    profile = settings.profile("bundled")
    texts = {
        chunk_id(name, chunk.text): chunk.text
        for name, text in documents.items()
        for chunk in chunk_document(text, profile.chunking, "text/markdown" if name.endswith(".md") else "text/plain")
    }
    return dict(zip(texts, load_model(profile).embed(list(texts.values())).vectors, strict=True))


class MainWay:
    """One story, told in this order."""

    def test_the_documents_of_a_prefix_come_into_the_index(self, way: Way) -> None:
        for key, text in ELSEWHERE.items():
            way.bucket.put_object(Key=key, Body=text.encode())
        way.put(BEFORE)
        way.set_up()
        way.follow()
        assert {row["doc_id"]: row["document_text"] for row in way.rows(SOURCE_DOCUMENTS)} == BEFORE
        assert_index_holds(way, BEFORE)

    def test_an_edit_a_deletion_and_an_addition_move_just_their_records(self, way: Way) -> None:
        way.put(AFTER)
        way.follow()
        assert_index_holds(way, AFTER)
        batch = way.rolling.row(way.batches[1])
        assert (batch["documents_new"], batch["documents_changed"], batch["documents_deleted"]) == (1, 1, 1)
        assert batch["texts_embedded"] == len(vectors_of(AFTER).keys() - vectors_of(BEFORE).keys())
        sync = max(way.rows(INDEX_SYNCS), key=lambda row: row["finished_at"])
        assert (sync["records_upserted"], sync["records_deleted"]) == (batch["texts_embedded"], 2)

    def test_every_view_answers(self, way: Way) -> None:
        with way.lake.sql.connect() as connection:
            cursor = connection.cursor()
            counts = {view: cursor.execute(f"select count(*) from {view.partition('/')[2]}").fetchone() for view in statements("views")}
        assert counts["views/current_documents"] == [len(AFTER)]
        assert counts["views/current_embeddings"] == [len(vectors_of(AFTER))]

    def test_a_batch_is_taken_back_and_the_index_follows(self, way: Way) -> None:
        way.roll_back(way.batches[1])
        way.sync()
        assert way.rolling.states()[way.batches[1]] == "rejected"
        assert_index_holds(way, BEFORE)

    @pytest.mark.parametrize("moment", [0, 1])
    def test_a_receipt_leads_to_the_text_as_it_was(self, way: Way, moment: int) -> None:
        text = (WORN, NEW)[moment]
        record = chunk_id("pumps.md", text[text.index("## Wear") :].strip())
        (receipt,) = explain([record], at=way.answered_at[moment], lake=way.lake).receipts
        assert receipt.version.document_text == text
        assert (receipt.version.is_text_verified, receipt.version.is_passage_in_place) == (True, True)
        assert receipt.version.source_uri == f"{way.source}/pumps.md"

    def test_the_index_is_rebuilt_by_an_import_and_equals_the_record(self, way: Way) -> None:
        live = way.following.namespace
        way.rebuild()
        assert way.following.namespace != live
        assert_index_holds(way, BEFORE)
        way.reconcile()
        (compared,) = way.rows(INDEX_RECONCILIATIONS)
        assert (compared["fidelity"], compared["expected_count"], compared["is_complete"]) == (1.0, len(vectors_of(BEFORE)), True)


def assert_index_holds(way: Way, documents: Mapping[str, str]) -> None:
    """The lake's current state is that of these documents, and the index has their vectors with the record's receipts."""
    vectors, records = vectors_of(documents), way.following.records()
    assert current_documents(way.lake, "bundled").keys() == documents.keys()
    assert records.keys() == vectors.keys()
    assert all(np.allclose(records[name].values, vectors[name], atol=1e-6) for name in records)
    assert way.rolling.records() == way.rolling.expected_records()
