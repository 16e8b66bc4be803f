"""Our side: a lake of its own with a Trino, and the steps of `embed_documents` run as the DAG runs them."""

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue, In

from benchmarks.embedder import PROFILE, PROFILES
from benchmarks.measures import Cost
from benchmarks.tasks import run_task
from dev.stack import Stack
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, EMBEDDING_BATCHES, SOURCE_DOCUMENTS
from embedding_lakehouse.settings import checks

NAME = "ours"
WARM_UP = "warm_up"
DOCUMENTS_AT_ONCE = 5_000
# Tasks that the Airflow of the local stack runs side by side.
TASKS_AT_ONCE = 4
SIDE_BY_SIDE = (
    f"A batch's checks, and the shards that are written to an index, run {TASKS_AT_ONCE} at a time, as many as the Airflow of the local "
    "stack runs, with the start of their processes counted; every other step runs alone, without it."
)


class OurLake:
    """A lake in a home folder of its own, as the benchmark fills, changes and embeds it."""

    name = NAME

    def __init__(self, home: Path) -> None:
        self.stack = Stack(home, settings={"EMBEDDING_LAKEHOUSE_PROFILES": str(PROFILES), "TOKENIZERS_PARALLELISM": "true"})
        self._log = home / "logs" / "tasks.log"
        self._runs = 0

    def start(self) -> None:
        """Start Trino and create the tables."""
        self.stack.start(["trino"])
        # Airflow takes its settings when it is first imported, which is when the first task is forked.
        os.environ.update(self.environment)
        run_task(self.environment, self._log, "set_up.create_tables")

    @property
    def environment(self) -> dict[str, str]:
        return self.stack.environment()

    def put(self, texts: Iterable[tuple[str, str]]) -> None:
        """Write documents, new or changed, into the source table."""
        table = self._lake().table(SOURCE_DOCUMENTS)
        known = table.scan(selected_fields=("doc_id",)).to_arrow()["doc_id"]
        remaining = iter(texts)
        while portion := list(islice(remaining, DOCUMENTS_AT_ONCE)):
            now = datetime.now(UTC)
            rows = [
                {"doc_id": doc_id, "document_text": text, "content_hash": content_hash(text), "media_type": "text/plain", "updated_at": now}
                for doc_id, text in portion
            ]
            changed = set(known.to_pylist()).intersection(row["doc_id"] for row in rows)
            replaced = In("doc_id", changed) if changed else ~AlwaysTrue()
            table.overwrite(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()), overwrite_filter=replaced)

    def remove(self, doc_ids: list[str]) -> None:
        """Take documents out of the source table."""
        self._lake().table(SOURCE_DOCUMENTS).delete(In("doc_id", set(doc_ids)))

    def warm_up(self, texts: Iterable[tuple[str, str]], batches: int) -> None:
        """Embed a few documents under another profile, edited so many times: until its code is compiled, a fresh Trino takes several
        times the processor time for a statement that one does which runs for days."""
        documents = list(texts)
        for number in range(batches):
            self.put((doc_id, f"{text} {number}") for doc_id, text in documents)
            self.bring_up_to_date(WARM_UP)

    def bring_up_to_date(self, profile: str = PROFILE) -> Cost:
        """Run the steps of `embed_documents` once; a quiet run ends after the plan."""
        self._runs += 1
        run = StepRun(self, "embed_documents")
        task = run.task
        changes = task("planning.detect_changes", profile_name=profile)
        shards = task("planning.plan_batch", profile_name=profile, changes=changes, dag_id="benchmark", run_id=str(self._runs))
        if shards:
            chunked = [task("chunking.chunk_documents", **shard) for shard in shards]
            priced = task("planning.price_batch", chunked=chunked).shards
            for shard in priced:
                task("embedding.embed_chunks", **shard)
            batch_id = task("publishing.commit_embeddings", batch_id=priced[0]["batch_id"])
            results = run.tasks("auditing.run_check", [{"batch_id": batch_id, "name": name} for name in checks()])
            task("auditing.conclude_audit", batch_id=batch_id, results=results)
            task("publishing.publish_batch", batch_id=batch_id)
        return run.cost

    def commits(self) -> int:
        """Snapshots of the embeddings and of the ledger so far."""
        lake = self._lake()
        return sum(len(lake.table(table).snapshots()) for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS))

    def start_index(self) -> None:
        """Start the Pinecone-compatible server and create the index."""
        self.stack.start(["pinecone"])
        run_task(self.environment, self._log, "set_up_index.create_index", profile_name=PROFILE)

    def sync_index(self) -> tuple[int, Cost]:
        """Run the steps of `sync_index` once; the requests that wrote to the index or removed from it, and the cost."""
        run = StepRun(self, "sync_index")
        shards = run.task("planning.plan_sync", profile_name=PROFILE)
        return self._apply(run, shards) if shards else 0, run.cost

    def _apply(self, run: "StepRun", shards: list[dict[str, Any]]) -> int:
        mapped = [{"shard": shard} for shard in shards]
        upserted = run.tasks("writing.upsert_records", mapped)
        run.task("closing.verify_records", shards=shards, upserted=upserted)
        deleted = run.tasks("writing.delete_records", mapped)
        run.task("closing.record_sync", shards=shards, upserted=upserted, deleted=deleted)
        return sum(figures["requests"] for figures in upserted + deleted)

    def rebuild_index(self) -> Cost:
        """Run the steps of `rebuild_index` once, by upserts; nothing is published meanwhile, so there is nothing to catch up with."""
        run = StepRun(self, "rebuild_index")
        params = {
            "profile": PROFILE,
            "as_of": "",
            "method": "upserts",
            "import_uri": "",
            "reason": "",
            "discard_building": False,
            "keep_days": 1,
            "dry_run": False,
        }
        plan = run.task("planning.plan_rebuild", params=params)
        shards = run.task("planning.begin_rebuild", planned=plan, params=params, run_id="benchmark")
        run.tasks("filling.fill_shard", [{"shard": shard} for shard in shards])
        release = run.task("filling.record_fill", shards=shards)
        run.task("verifying.verify_release", release_id=release)
        run.task("planning.plan_sync", package="sync_index", profile_name=PROFILE, release_id=release)
        switching = {"release_id": release, "keep_days": 1, "reason": "", "run_id": "benchmark"}
        run.task("switch_release.switch_release", package="", **switching)
        return run.cost

    def roll_back(self) -> Cost:
        """Run the steps of `roll_back_embeddings` once, for the newest batch."""
        run = StepRun(self, "roll_back_embeddings")
        newest = max(self._lake().table(EMBEDDING_BATCHES).scan().to_arrow().to_pylist(), key=lambda row: row["batch_number"])["batch_id"]
        plan = run.task("planning.plan_roll_back", profile_name=PROFILE, without_batch=newest, reason="benchmark")
        run.task("applying.apply_roll_back", plan=plan)
        return run.cost

    def run_step(self, step: str, arguments: dict[str, Any]) -> tuple[Any, Cost]:
        """Run one step as a task; its answer and cost, with Trino's processor time."""
        before = self._trino_cpu()
        answer, cost = run_task(self.environment, self._log, step, **arguments)
        return answer, replace(cost, cpu=cost.cpu + self._trino_cpu() - before)

    def run_steps(self, step: str, arguments: list[dict[str, Any]]) -> tuple[list[Any], Cost]:
        """Run a step once for each of the arguments, several at a time: the answers, and one cost with the start of the processes."""
        environment, before, begun = self.environment, self._trino_cpu(), time.perf_counter()
        with ThreadPoolExecutor(TASKS_AT_ONCE) as threads:
            done = list(threads.map(lambda each: run_task(environment, self._log, step, **each), arguments))
        wall = time.perf_counter() - begun
        cost = Cost.of_tasks([(step, cost) for _, cost in done])
        return [answer for answer, _ in done], replace(cost, wall=wall, cpu=cost.cpu + self._trino_cpu() - before)

    def _trino_cpu(self) -> float:
        """Seconds of processors that Trino has taken since its start."""
        running = self.stack.programs.running("trino")
        taken = psutil.Process(running.pid).cpu_times() if running else None
        return taken.user + taken.system if taken else 0.0

    def _lake(self) -> Lake:
        os.environ.update(self.environment)
        return connect()


class StepRun:
    """The steps of one run of a DAG, each in a process of its own, and what they cost together."""

    def __init__(self, lake: OurLake, package: str) -> None:
        self._lake = lake
        self._package = package
        self._tasks: list[tuple[str, Cost]] = []

    def task(self, step: str, package: str | None = None, **arguments: Any) -> Any:
        """The answer of a step of the DAG's package, or of another one."""
        place = self._package if package is None else package
        answer, cost = self._lake.run_step(f"{place}.{step}" if place else step, arguments)
        self._tasks.append((_phase(step), cost))
        return answer

    def tasks(self, step: str, arguments: list[dict[str, Any]]) -> list[Any]:
        """The answers of a step that the DAG runs several times side by side."""
        answers, cost = self._lake.run_steps(f"{self._package}.{step}", arguments)
        self._tasks.append((_phase(step), cost))
        return answers

    @property
    def cost(self) -> Cost:
        return Cost.of_tasks(self._tasks)


def _phase(step: str) -> str:
    """The part of the run that a step belongs to: the checks and their conclusion are one."""
    name = step.rpartition(".")[2]
    return "audit" if step.startswith("auditing.") else name.partition("_")[0]
