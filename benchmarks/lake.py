"""Our side: a lake of its own with a Trino, and the steps of `embed_documents` run as the DAG runs them."""

import os
from collections.abc import Iterable
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
from embedding_lakehouse.core.checks import CHECKS
from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS

NAME = "ours"
WARM_UP = "warm_up"
DOCUMENTS_AT_ONCE = 5_000


class OurLake:
    """A lake in a home folder of its own, as the benchmark fills, changes and embeds it."""

    name = NAME

    def __init__(self, home: Path) -> None:
        self.stack = Stack(home)
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
        return {**self.stack.environment(), "EMBEDDING_LAKEHOUSE_PROFILES": str(PROFILES), "TOKENIZERS_PARALLELISM": "true"}

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

    def warm_up(self, texts: Iterable[tuple[str, str]]) -> None:
        """Put a few documents and embed them under another profile, since the first statements of a fresh Trino take many times as long."""
        self.put(texts)
        self.bring_up_to_date(WARM_UP)

    def bring_up_to_date(self, profile: str = PROFILE) -> Cost:
        """Run the steps of `embed_documents` once; a quiet run ends after the plan."""
        self._runs += 1
        tasks: list[tuple[str, Cost]] = []

        def task(step: str, **arguments: Any) -> Any:
            before = self._trino_cpu()
            answer, cost = run_task(self.environment, self._log, f"embed_documents.{step}", **arguments)
            tasks.append((_phase(step), replace(cost, cpu=cost.cpu + self._trino_cpu() - before)))
            return answer

        changes = task("planning.detect_changes", profile_name=profile)
        shards = task("planning.plan_batch", profile_name=profile, changes=changes, dag_id="benchmark", run_id=str(self._runs))
        if shards:
            chunked = [task("chunking.chunk_documents", **shard) for shard in shards]
            priced = task("planning.price_batch", chunked=chunked)
            for shard in priced:
                task("embedding.embed_chunks", **shard)
            batch_id = task("publishing.commit_embeddings", batch_id=priced[0]["batch_id"])
            results = [task("auditing.run_check", batch_id=batch_id, name=check.name) for check in CHECKS]
            task("auditing.conclude_audit", batch_id=batch_id, results=results)
            task("publishing.publish_batch", batch_id=batch_id)
        return Cost.of_tasks(tasks)

    def commits(self) -> int:
        """Snapshots of the embeddings and of the ledger so far."""
        lake = self._lake()
        return sum(len(lake.table(table).snapshots()) for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS))

    def start_index(self) -> None:
        """Start the Pinecone-compatible server and create the index."""
        self.stack.start(["pinecone"])
        run_task(self.environment, self._log, "set_up_index.create_index", profile_name=PROFILE)

    def sync_index(self) -> int:
        """Run the steps of `sync_index` once; the requests that wrote to the index or removed from it."""

        def task(step: str, **arguments: Any) -> Any:
            return run_task(self.environment, self._log, f"sync_index.{step}", **arguments)[0]

        shards = task("planning.plan_sync", profile_name=PROFILE)
        if not shards:
            return 0
        upserted = [task("writing.upsert_records", shard=shard) for shard in shards]
        task("closing.verify_records", shards=shards, upserted=upserted)
        deleted = [task("writing.delete_records", shard=shard) for shard in shards]
        task("closing.record_sync", shards=shards, upserted=upserted, deleted=deleted)
        return sum(figures["requests"] for figures in upserted + deleted)

    def _trino_cpu(self) -> float:
        """Seconds of processors that Trino has taken since its start."""
        running = self.stack.programs.running("trino")
        taken = psutil.Process(running.pid).cpu_times() if running else None
        return taken.user + taken.system if taken else 0.0

    def _lake(self) -> Lake:
        os.environ.update(self.environment)
        return connect()


def _phase(step: str) -> str:
    """The part of the run that a step belongs to: the checks and their conclusion are one."""
    name = step.rpartition(".")[2]
    return "audit" if step.startswith("auditing.") else name.partition("_")[0]
