"""The main way of the DAGs as Airflow runs them, from a prefix of a bucket to an index and back: the same tests on whatever lake.

A module gives the fixture `way`, whose lake is the one behind the connections, and a subclass of `MainWay`.
"""

import json
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

import pytest

from dev.stack.component import ROOT
from dev.stack.ports import HOST
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.sql import statements
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.index_tables import INDEX_RECONCILIATIONS
from embedding_lakehouse.core.monitoring_tables import DRIFT_VERDICTS
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS
from embedding_lakehouse.receipts import explain
from tests.batches import current_documents, run_batch, state_of
from tests.index_fixtures import API_KEY, Following
from tests.ingest_runner import Ingestion
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
WORN_RECORD = chunk_id("pumps.md", "## Wear\n\nAfter 2,000 hours its seal is worn: ± 0.1 mm.")


@dataclass
class Way:
    """A bucket of documents, a lake and an index, which only DAGs change; what a test asks for is read from the lake and the index."""

    bucket: Any
    service: IndexService
    batches: list[str] = field(default_factory=list)
    answered_at: list[datetime] = field(default_factory=list)

    @property
    def lake(self) -> Lake:
        """The lake behind the connections."""
        return connect()

    @property
    def rolling(self) -> RollingBack:
        """What the lake and the index hold."""
        return RollingBack(Following(self.lake, settings.profile("bundled"), self.service))

    def put(self, documents: Mapping[str, str]) -> None:
        """Make these the objects of the prefix."""
        for item in self.bucket.objects.filter(Prefix="handbook/"):
            if item.key.removeprefix("handbook/") not in documents:
                item.delete()
        for name, text in documents.items():
            self.bucket.put_object(Key=f"handbook/{name}", Body=text.encode())

    def follow(self) -> None:
        """Ingest, embed and sync, as the assets would chain them."""
        self.run("ingest_documents", source=f"s3://{self.bucket.name}/handbook", allow_deletes=True)
        self.run("embed_documents", allow_deletes=True)
        self.run("sync_index")
        self.batches.append(max(self.rolling.states()))
        self.answered_at.append(datetime.now(UTC))

    def run(self, name: str, **params: Any) -> set[str]:
        """One run of a DAG; its tasks that succeeded."""
        states = {(task.task_id, str(task.state)) for task in dag_of(name).test(run_conf=params).get_task_instances()}
        assert {state for _, state in states} <= {"success", "skipped"}, states
        return {task for task, state in states if state == "success"}

    def rows(self, table: Any) -> list[dict[str, Any]]:
        """A table as it is now."""
        return self.lake.table(table).scan().to_arrow().to_pylist()


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


def connections(service: IndexService, trino_port: int, iceberg: dict[str, Any], aws: dict[str, Any]) -> dict[str, str]:
    """The environment variables with Airflow's connections."""
    trino = {"conn_type": "trino", "host": HOST, "port": trino_port, "login": "airflow", "schema": "embeddings_db"}
    pinecone = {"conn_type": "generic", "host": service.host, "password": API_KEY}
    made = {
        "trino_default": trino | {"extra": {"catalog": "lakehouse", "protocol": "http"}},
        "iceberg_default": iceberg,
        "aws_default": aws,
        "pinecone_default": pinecone,
    }
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in made.items()}


def walk_by_steps(lake: Lake, folder: Path) -> list[dict[str, Any]]:
    """What a lake holds after each batch of the same documents from a folder, by the steps alone."""
    ingestion, states = Ingestion(lake, str(folder), {"allow_deletes": True}), []
    for documents in (BEFORE, AFTER):
        for file in folder.rglob("*.*"):
            file.unlink()
        for name, text in documents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        ingestion.run()
        run_batch(lake, "bundled", load_model(settings.profile("bundled")))
        states.append(state_of(lake))
    return states


class MainWay:
    """One story, told in this order."""

    def test_the_documents_of_a_prefix_come_into_the_index(self, way: Way) -> None:
        for key, text in ELSEWHERE.items():
            way.bucket.put_object(Key=key, Body=text.encode())
        way.put(BEFORE)
        assert way.run("set_up_lakehouse") == {"create_tables", "create_views", "create_indexes"}
        way.follow()
        assert {row["doc_id"]: row["document_text"] for row in way.rows(SOURCE_DOCUMENTS)} == BEFORE
        assert current_documents(way.lake, "bundled").keys() == BEFORE.keys()
        assert WORN_RECORD in way.rolling.records()
        assert way.rolling.records() == way.rolling.expected_records()

    def test_an_edit_a_deletion_and_an_addition_move_just_their_records(self, way: Way) -> None:
        before = way.rolling.records()
        way.put(AFTER)
        way.follow()
        after = way.rolling.records()
        assert after == way.rolling.expected_records()
        assert WORN_RECORD not in after
        assert (len(before.keys() - after.keys()), len(after.keys() - before.keys())) == (2, 2)
        batch = way.rolling.row(way.batches[1])
        assert (batch["documents_new"], batch["documents_changed"], batch["documents_deleted"]) == (1, 1, 1)
        assert batch["texts_embedded"] == 2

    def test_a_quiet_run_changes_nothing(self, way: Way) -> None:
        before = way.rolling.states()
        assert way.run("ingest_documents", source=f"s3://{way.bucket.name}/handbook") == {"list_files"}
        assert way.run("embed_documents") == {"detect_changes", "plan_batch"}
        assert way.run("sync_index") == {"plan_sync"}
        assert way.rolling.states() == before

    def test_every_view_answers(self, way: Way) -> None:
        with way.lake.sql.connect() as connection:
            cursor = connection.cursor()
            counts = {view: cursor.execute(f"select count(*) from {view.partition('/')[2]}").fetchone() for view in statements("views")}
        assert counts["views/current_documents"] == [len(AFTER)]
        assert counts["views/current_embeddings"] == [len(way.rolling.records())]

    def test_a_batch_is_taken_back_and_the_index_follows(self, way: Way) -> None:
        way.run("roll_back_embeddings", without_batch=way.batches[1], reason="a test", ask=False)
        way.run("sync_index")
        assert way.rolling.states()[way.batches[1]] == "rejected"
        assert current_documents(way.lake, "bundled").keys() == BEFORE.keys()
        assert way.rolling.records() == way.rolling.expected_records()
        assert WORN_RECORD in way.rolling.records()

    @pytest.mark.parametrize("moment", [0, None])
    def test_a_receipt_leads_to_the_text_as_it_was(self, way: Way, moment: int | None) -> None:
        asked_at = way.answered_at[moment] if moment is not None else None
        (receipt,) = explain([WORN_RECORD], at=asked_at, lake=way.lake).receipts
        assert receipt.version.document_text == WORN
        assert (receipt.version.is_text_verified, receipt.version.is_passage_in_place) == (True, True)
        assert receipt.version.source_uri == f"s3://{way.bucket.name}/handbook/pumps.md"

    @pytest.mark.parametrize("method", ["import", "upserts"])
    def test_the_index_is_rebuilt_beside_the_live_one(self, way: Way, method: str) -> None:
        live = way.rolling.following.namespace
        done = way.run("rebuild_index", dry_run=False, method=method, reason="a test")
        assert ("fill_release.await_import" in done) == (method == "import")
        assert way.rolling.following.namespace != live
        assert way.rolling.records() == way.rolling.expected_records()

    def test_the_index_equals_the_record(self, way: Way) -> None:
        way.run("reconcile_index")
        (compared,) = way.rows(INDEX_RECONCILIATIONS)
        assert (compared["fidelity"], compared["expected_count"], compared["is_complete"]) == (1.0, len(way.rolling.records()), True)

    def test_drift_is_measured(self, way: Way) -> None:
        way.run("monitor_embeddings")
        assert way.rows(DRIFT_VERDICTS)
