"""A purchase in bulk under a real scheduler and triggerer: it waits without a worker, and a new run goes on with it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from pyiceberg.catalog import load_catalog

from dev.demo.airflow_api import AirflowApi
from dev.stack import Stack
from dev.stack.catalog import catalog_properties
from dev.stack.component import ROOT
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.core.tables import EMBEDDING_BATCHES
from embedding_lakehouse.steps.set_up import create_tables
from tests.batches import current_documents, put_documents
from tests.model_fixtures import API_KEY, ModelServer, model_process, model_server

__all__ = ["model_process", "model_server"]
AIRFLOW = ("trino", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
DAG = "embed_documents"
PROFILES = """
[profiles.bulky]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "bulky-v1"
dimensions = 64
batch = { shard_tokens = 60 }
bulk = { above_texts = 5, poll_seconds = 1 }

[profiles.asking]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "asking-v1"
dimensions = 64
approval = { texts = 1 }
bulk = { above_texts = 5, poll_seconds = 1 }

[profiles.plain]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "plain-v1"
dimensions = 64
"""
TEXTS = {f"note-{number}": f"The lamp of lighthouse {number} turns every {number + 2} seconds." for number in range(12)}
SECONDS = 180
# So often a batch is asked for until it ends: more often than the triggerer does before this test does.
LOOKS = 500


@dataclass(frozen=True)
class Running:
    """A running stack whose source has documents, and the service."""

    stack: Stack
    airflow: AirflowApi
    server: ModelServer

    @property
    def lake(self) -> Lake:
        """The stack's lake; nothing here asks its SQL engine."""
        return Lake(load_catalog("iceberg_default", **catalog_properties(self.stack.home)), SqlEngine("none", lambda: None))

    def start_and_await_the_wait(self) -> str:
        """Start a run that buys in bulk; its id once every one of its shards waits."""
        run_id = self.airflow.start(DAG, {"profile": "bulky"})
        deadline = time.monotonic() + SECONDS
        while self.states(run_id).get("deferred") != {"buy_in_bulk"} or "running" in self.states(run_id):
            assert time.monotonic() < deadline, self.states(run_id)
            time.sleep(0.5)
        return run_id

    def states(self, run_id: str) -> dict[str, set[str]]:
        return self.airflow.task_states(DAG, run_id)

    def let_the_batches_end(self) -> None:
        """Ask for every batch until it has ended."""
        with httpx.Client(base_url=f"{self.server.url}/v1", headers={"Authorization": f"Bearer {API_KEY}"}) as client:
            for batch in client.get("/batches").json()["data"]:
                while client.get(f"/batches/{batch['id']}").json()["status"] != "completed":
                    pass


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, model_process: ModelServer) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("bulk")
    (home / "dags").mkdir()
    (home / "dags" / f"{DAG}.py").write_text((ROOT / "dags" / f"{DAG}.py").read_text())
    (home / "profiles.toml").write_text(PROFILES)
    own = model_process.connections() | {
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "EMBEDDING_LAKEHOUSE_PROFILES": str(home / "profiles.toml"),
    }
    with Stack(home / "stack", settings=own) as stack:
        stack.start(AIRFLOW)
        airflow = AirflowApi(stack, report=print)
        airflow.await_dags([DAG])
        running = Running(stack, airflow, model_process)
        create_tables(lake=running.lake)
        put_documents(running.lake, TEXTS)
        yield running


def test_a_purchase_waits_in_the_triggerer_and_a_new_run_goes_on_with_it(running: Running, model_server: ModelServer) -> None:
    model_server.put(bulk_polls=LOOKS)
    given_up = running.start_and_await_the_wait()
    running.airflow.give_up(DAG, given_up)
    next_run = running.start_and_await_the_wait()
    running.let_the_batches_end()
    running.airflow.follow(DAG, next_run)
    assert running.states(next_run).keys() == {"success", "skipped"}
    assert current_documents(running.lake, "bulky").keys() == TEXTS.keys()
    batched = model_server.batched()
    assert (set(batched), set(batched.values())) == (set(TEXTS.values()), {1})
    assert model_server.asked()[1] == batched
    assert model_server.calls()["POST /v1/embeddings"] == 0


def test_a_profile_that_buys_nothing_in_bulk_has_no_task_that_waits(running: Running, model_server: ModelServer) -> None:
    running.airflow.trigger(DAG, {"profile": "plain"})
    states = running.states(str(running.airflow.last_run(DAG)))
    assert "buy_in_bulk" in states["skipped"]
    assert {"plan_bulk", "embed_chunks", "publish_batch"} <= states["success"]
    assert set(model_server.calls()) == {"POST /v1/embeddings"}
    assert {row["state"] for row in running.lake.table(EMBEDDING_BATCHES).scan().to_arrow().to_pylist()} == {"published"}


def test_a_quiet_run_skips_the_purchase(running: Running, model_server: ModelServer) -> None:
    running.airflow.trigger(DAG, {"profile": "bulky"})
    states = running.states(str(running.airflow.last_run(DAG)))
    assert states["success"] == {"detect_changes", "plan_batch"}
    assert model_server.calls() == {}


def test_a_refused_plan_buys_nothing_in_bulk(running: Running, model_server: ModelServer) -> None:
    shown = running.airflow.trigger_and_answer(DAG, "approve_plan", {"profile": "asking"}, "Reject")
    assert "Bought in bulk at 50% of the usual price" in shown
    states = running.states(str(running.airflow.last_run(DAG)))
    assert {"plan_bulk", "buy_in_bulk", "embed_chunks", "commit_embeddings", "publish_batch"} <= states["skipped"]
    assert model_server.calls() == {}
    (refused,) = (row for row in running.lake.table(EMBEDDING_BATCHES).scan().to_arrow().to_pylist() if row["profile"] == "asking")
    assert (refused["state"], refused["message"], refused["price"]) == ("discarded", "refused by admin", 0.0)
