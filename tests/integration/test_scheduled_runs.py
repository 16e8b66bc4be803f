"""The whole way under a real scheduler: the DAGs are chained by their assets alone, and a quiet ingestion moves nothing.

Afterwards every DAG has run, the metrics have said how it went, and no secret is anywhere but in its own file.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyiceberg.catalog import Catalog, load_catalog

from dev.demo.airflow_api import AirflowApi
from dev.stack import Stack
from dev.stack.catalog import catalog_properties
from dev.stack.component import ROOT
from embedding_lakehouse import settings
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.core.index_tables import INDEX_RECONCILIATIONS
from embedding_lakehouse.core.monitoring_tables import ALERTS
from embedding_lakehouse.core.releases import IndexShape
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, EMBEDDING_BATCHES, INDEX_RELEASES, INDEX_SYNCS, SOURCE_DOCUMENTS
from tests.metrics_collector import Collector, collector
from tests.model_fixtures import SECRETS, ModelServer, model_process

__all__ = ["model_process"]

# What the DAGs that nothing has run so far are asked for.
CONF: dict[str, dict[str, Any]] = {
    "hold_documents": {"name": "a-hold"},
    "forget_documents": {"doc_ids": ["note-1.md"]},
    "maintain_tables": {"dry_run": False},
}
# These alone may hold a secret, and only their owner can read them.
KEPT_PRIVATE = {"secrets.json", "passwords.json"}
CHAIN = ["embed_documents", "sync_index"]
BY_HAND = ["roll_back_embeddings", "rebuild_index", "reconcile_index"]
# A second profile beside the default one, which has DAGs of its own and asks before it embeds anything.
ASKING = "embed_documents__asking"
PROFILE = """
[profiles.asking]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "asking-v1"
dimensions = 256
usd_per_million_tokens = 1000000
approval = { texts = 1 }
index = { name = "asking" }
"""


@dataclass(frozen=True)
class Running:
    """A running stack with one folder of documents."""

    stack: Stack
    airflow: AirflowApi
    folder: Path
    metrics: Collector

    @property
    def catalog(self) -> Catalog:
        return load_catalog("iceberg_default", **catalog_properties(self.stack.home))

    def rows(self, name: str) -> list[dict[str, Any]]:
        return self.catalog.load_table(name).scan().to_arrow().to_pylist()

    def releases(self) -> list[dict[str, Any]]:
        """The releases of the default profile."""
        return [row for row in self.rows(INDEX_RELEASES.name) if row["profile"] == settings.default_profile()]

    def ingest(self) -> None:
        self.airflow.trigger("ingest_documents", {"source": str(self.folder), "allow_deletes": True})

    def ingest_and_follow(self) -> None:
        """Ingest by hand; what comes behind it is triggered by the assets."""
        known = {dag_id: self.airflow.last_run(dag_id) for dag_id in CHAIN}
        self.ingest()
        for dag_id in CHAIN:
            self.airflow.await_run_after(dag_id, known[dag_id])

    def indexed(self) -> dict[str, tuple[bytes, str]]:
        """Every record that the index holds for the default profile: id -> vector's bytes and document."""
        service = IndexService(self.stack.credentials.pinecone_api_key, f"http://127.0.0.1:{self.stack.ports['pinecone']}")
        ids = sorted({row["chunk_id"] for row in self.rows(DOCUMENT_EMBEDDINGS.name)})
        (release,) = [row for row in self.releases() if row["state"] == "live"]
        found = service.open(IndexShape.of_release(release)).fetch(release["namespace"], ids)
        return {name: (record.values.tobytes(), record.metadata["doc_id"]) for name, record in found.items()}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, model_process: ModelServer) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("scheduled")
    folder = home / "documents"
    folder.mkdir()
    for number in range(12):
        (folder / f"note-{number}.md").write_text(f"# Note {number}\n\nThe lamp of lighthouse {number} turns every {number + 2} seconds.\n")
    profiles = home / "profiles.toml"
    profiles.write_text(settings.profiles_file().read_text() + PROFILE)
    own = model_process.connections() | {"EMBEDDING_LAKEHOUSE_PROFILES": str(profiles)}
    with collector() as metrics, Stack(home / "stack", settings=own | metrics.settings) as stack:
        stack.start()
        airflow = AirflowApi(stack, report=print)
        airflow.await_dags(["set_up_lakehouse", "ingest_documents", *CHAIN, *BY_HAND])
        airflow.trigger("set_up_lakehouse")
        running = Running(stack, airflow, folder, metrics)
        running.ingest_and_follow()
        yield running


def test_one_trigger_brings_files_into_the_index(running: Running) -> None:
    rows = running.rows(DOCUMENT_EMBEDDINGS.name)
    recorded = {row["chunk_id"]: (np.asarray(row["embedding"], np.float32).tobytes(), row["doc_id"]) for row in rows}
    assert {doc_id for _, doc_id in recorded.values()} == {f"note-{number}.md" for number in range(12)}
    assert running.indexed() == recorded


def test_an_edit_and_a_deletion_move_just_their_records(running: Running) -> None:
    (running.folder / "note-3.md").write_text("# Note 3\n\nThis lighthouse was taken out of service.\n")
    (running.folder / "note-5.md").unlink()
    before = running.indexed()
    running.ingest_and_follow()
    after = running.indexed()
    assert {doc_id for _, doc_id in after.values()} == {f"note-{number}.md" for number in range(12) if number != 5}
    assert {before[name][1] for name in before.keys() - after.keys()} == {"note-3.md", "note-5.md"}
    assert {after[name][1] for name in after.keys() - before.keys()} == {"note-3.md"}
    sync = max(running.rows(INDEX_SYNCS.name), key=lambda row: row["finished_at"])
    assert (sync["records_upserted"], sync["records_deleted"]) == (1, 2)


def test_nothing_changed_moves_nothing(running: Running) -> None:
    tables = (SOURCE_DOCUMENTS.name, DOCUMENT_EMBEDDINGS.name, EMBEDDING_BATCHES.name, INDEX_SYNCS.name)
    before = {name: running.catalog.load_table(name).metadata.current_snapshot_id for name in tables}
    running.ingest()
    quiet = running.airflow.trigger("embed_documents")
    states = running.airflow.task_states("embed_documents", quiet["dag_run_id"])
    assert states.keys() == {"success", "skipped"}
    assert states["success"] == {"detect_changes", "plan_batch"}
    running.airflow.trigger("sync_index")
    assert {name: running.catalog.load_table(name).metadata.current_snapshot_id for name in tables} == before


def newest_batch(running: Running) -> dict[str, Any]:
    return max(running.rows(EMBEDDING_BATCHES.name), key=lambda row: row["batch_number"])


def roll_back(running: Running, answer: str) -> str:
    conf = {"without_batch": newest_batch(running)["batch_id"], "reason": "a test"}
    return running.airflow.trigger_and_answer("roll_back_embeddings", "approve_roll_back", conf, answer)


def test_a_roll_back_that_is_refused_changes_nothing(running: Running) -> None:
    before = running.rows(EMBEDDING_BATCHES.name), running.indexed()
    assert "2 documents get another version" in roll_back(running, "Reject")
    states = running.airflow.task_states("roll_back_embeddings", str(running.airflow.last_run("roll_back_embeddings")))
    assert states == {"success": {"plan_roll_back", "approve_roll_back"}, "skipped": {"apply_roll_back"}}
    assert (running.rows(EMBEDDING_BATCHES.name), running.indexed()) == before


def test_an_approved_roll_back_takes_the_index_along(running: Running) -> None:
    known = running.airflow.last_run("sync_index")
    roll_back(running, "Approve")
    running.airflow.await_run_after("sync_index", known)
    assert {doc_id for _, doc_id in running.indexed().values()} == {f"note-{number}.md" for number in range(12)}
    sync = max(running.rows(INDEX_SYNCS.name), key=lambda row: row["finished_at"])
    assert (sync["records_upserted"], sync["records_deleted"]) == (2, 1)
    assert newest_batch(running)["texts_embedded"] is None


def test_the_index_is_rebuilt_beside_the_live_one_and_equals_the_record(running: Running) -> None:
    before = running.indexed()
    running.airflow.trigger("rebuild_index", {"dry_run": False})
    assert sorted(row["state"] for row in running.releases()) == ["live", "retired"]
    assert running.indexed() == before
    running.airflow.trigger("reconcile_index")
    (compared,) = running.rows(INDEX_RECONCILIATIONS.name)
    assert (compared["fidelity"], compared["expected_count"], compared["is_complete"]) == (1.0, len(before), True)


def batches_of_the_second_profile(running: Running) -> list[dict[str, Any]]:
    rows = [row for row in running.rows(EMBEDDING_BATCHES.name) if row["profile"] == "asking"]
    return sorted(rows, key=lambda row: row["batch_number"])


def test_a_dry_run_of_another_profile_shows_its_plan_and_embeds_nothing(running: Running) -> None:
    running.airflow.await_dags([ASKING])
    looked = running.airflow.trigger(ASKING, {"dry_run": True})
    states = running.airflow.task_states(ASKING, looked["dag_run_id"])
    assert states["success"] == {"detect_changes", "plan_batch", "chunk_documents"}
    assert {"price_batch", "approve_plan", "embed_chunks", "publish_batch"} <= states["skipped"]
    assert [row["state"] for row in batches_of_the_second_profile(running)] == ["discarded"]


def test_a_plan_that_is_refused_is_not_embedded(running: Running) -> None:
    shown = running.airflow.trigger_and_answer(ASKING, "approve_plan", {}, "Reject")
    assert "11 new, 0 changed, 0 deleted" in shown and "above 1 (approval.texts)" in shown
    states = running.airflow.task_states(ASKING, str(running.airflow.last_run(ASKING)))
    assert {"embed_chunks", "commit_embeddings", "publish_batch"} <= states["skipped"]
    refused = batches_of_the_second_profile(running)[-1]
    assert (refused["state"], refused["message"], refused["price"]) == ("discarded", "refused by admin", 0.0)
    (alert,) = [row for row in running.rows(ALERTS.name) if row["kind"] == "waiting_for_approval" and row["dag_id"] == ASKING]
    assert shown in alert["message"]


def test_a_plan_that_is_approved_is_embedded_and_the_other_profile_stays_as_it_is(running: Running) -> None:
    known = running.airflow.last_run("sync_index")
    before = running.indexed()
    running.airflow.trigger_and_answer(ASKING, "approve_plan", {}, "Approve")
    embedded = batches_of_the_second_profile(running)[-1]
    assert (embedded["state"], embedded["approved_by"], embedded["documents_new"]) == ("published", "admin", 11)
    assert embedded["price"] == embedded["tokens_embedded"] > 0
    running.airflow.await_run_after("sync_index", known)
    assert running.indexed() == before


def test_the_metrics_say_how_it_went(running: Running) -> None:
    embedded, found = batches_of_the_second_profile(running)[-1], running.metrics.gauges
    seconds = (embedded["published_at"] - embedded["planned_at"]).total_seconds()
    expected = {
        ("batch.documents", "asking"): 11,
        ("batch.texts_embedded", "asking"): embedded["texts_embedded"],
        ("batch.usd", "asking"): embedded["price"],
        ("batch.seconds", "asking"): seconds,
        ("batch.is_blocked", "asking"): 0,
        ("spend.usd_today", "asking"): embedded["price"],
        ("documents.waiting", "asking"): 0,
        ("index.fidelity", settings.default_profile()): 1,
    }
    assert {key: found[f"airflow.embedding_lakehouse.{key[0]}", key[1]] for key in expected} == pytest.approx(expected)
    for name, profile in expected:
        assert found[f"airflow.embedding_lakehouse.{name}.{profile}", ""] == found[f"airflow.embedding_lakehouse.{name}", profile]
    assert found["airflow.embedding_lakehouse.batch.texts_per_second", "asking"] > 0
    assert found["airflow.embedding_lakehouse.index.lag_seconds", settings.default_profile()] > 0


def test_every_line_of_a_task_s_log_has_the_ids_it_works_on(running: Running) -> None:
    embedded = batches_of_the_second_profile(running)[-1]
    lines = logged(running, f"dag_id={ASKING}/run_id={embedded['run_id']}/task_id=commit_embeddings")
    ours = [line for line in lines if line.get("logger", "").startswith("embedding_lakehouse")]
    assert ours and {line["batch_id"] for line in ours} == {embedded["batch_id"]}


def logged(running: Running, folder: str) -> list[dict[str, Any]]:
    files = (running.stack.home / "airflow" / "logs" / folder).rglob("*.log")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_no_secret_is_in_a_log_a_database_or_the_lake(running: Running) -> None:
    idle = [dag_id for dag_id in sorted(file.stem for file in (ROOT / "dags").glob("*.py")) if not running.airflow.last_run(dag_id)]
    running.airflow.await_dags(idle)
    for dag_id in idle:
        running.airflow.trigger(dag_id, CONF.get(dag_id, {}))
    hidden = {*SECRETS, *vars(running.stack.credentials).values()}
    files = [file for file in running.stack.home.rglob("*") if file.is_file() and file.name not in KEPT_PRIVATE]
    assert {"airflow.db", "catalog.db"} <= {file.name for file in files}
    texts = {file: file.read_bytes() for file in files}
    assert [(file, secret) for file, text in texts.items() for secret in hidden if secret.encode() in text] == []


def test_no_document_s_text_is_in_a_log_or_in_what_travels_between_tasks(running: Running) -> None:
    files = [file for file in (running.stack.home / "airflow").rglob("*") if file.is_file()]
    assert [file for file in files if b"The lamp of lighthouse" in file.read_bytes()] == []
