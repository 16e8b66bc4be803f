"""Batches driven by hand: the source's documents put in place, and the steps of embed_documents one after the other, up to any of them."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dev.stack.catalog import warehouse
from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import commit_files, drop_branch, scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded, EmbeddingModel
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.clients.staged_batches import staged_files
from embedding_lakehouse.core.batches import BatchRow, branch_name
from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS, Table
from embedding_lakehouse.steps.embed_documents import auditing, chunking, embedding, planning, publishing

Row = dict[str, Any]

STEPS = ("detect", "plan", "chunk", "price", "embed", "commit", "audit", "publish")


@dataclass
class CountingModel:
    """Answers a vector that only the text decides, and remembers every text it was asked for."""

    dimensions: int = 8
    texts: list[str] = field(default_factory=list)

    def embed(self, texts: list[str]) -> Embedded:
        self.texts += texts
        return Embedded(np.array([self.vector(text) for text in texts], np.float32), [len(text) for text in texts])

    def vector(self, text: str) -> np.ndarray:
        """The vector of a text (float32), never zero."""
        return np.frombuffer(sha256(text.encode()).digest(), np.uint8)[: self.dimensions].astype(np.float32) + 1


@dataclass
class BatchRun:
    """One run of embed_documents under a profile; `result` has what each step returned, by its name.

    The audit asks the SQL engine once for each check, so it runs where the test is about it.
    """

    lake: Lake
    profile: str = "small"
    model: EmbeddingModel = field(default_factory=CountingModel)
    run_id: str = "a run"
    allow_deletes: bool = True
    discard_open: bool = False
    is_audited: bool = False
    is_dry_run: bool = False
    asked: dict[str, Any] | None = None
    priced: planning.Priced | None = None
    result: dict[str, Any] = field(default_factory=dict)

    def steps(self) -> Iterator[str]:
        """Run step by step and yield the name of each that is done; ends after the plan where there is nothing to do."""
        for step in STEPS if self.is_audited else [step for step in STEPS if step != "audit"]:
            self.result[step] = self.done(step)
            yield step
            if step == "plan" and not self.result["plan"]:
                return

    def done(self, step: str) -> Any:
        """Do a step; what it returns."""
        return getattr(self, step)()

    def until(self, last: str) -> "BatchRun":
        """Run up to and with the step `last`, as a run that was killed after it."""
        for step in self.steps():
            if step == last:
                break
        return self

    @property
    def batch_id(self) -> str:
        return self.result["plan"][0]["batch_id"]

    @property
    def row(self) -> BatchRow:
        """The batch as it is in the journal now."""
        return batches.batch(self.lake, self.batch_id)

    def detect(self) -> dict[str, Any]:
        return planning.detect_changes(self.profile, self.lake)

    def plan(self) -> list[dict[str, Any]]:
        return planning.plan_batch(
            self.profile,
            self.result["detect"],
            "embed_documents",
            self.run_id,
            self.discard_open,
            self.lake,
            self.asked,
        )

    def chunk(self) -> list[dict[str, Any]]:
        return [chunking.chunk_documents(**shard, lake=self.lake) for shard in self.result["plan"]]

    def price(self) -> list[dict[str, Any]]:
        """The embedding shards; the plan itself is in `priced`."""
        self.priced = planning.price_batch(self.result["chunk"], self.allow_deletes, self.is_dry_run, self.run_id, self.lake)
        return self.priced.shards

    def embed(self) -> list[dict[str, int]]:
        return [embedding.embed_chunks(**shard, lake=self.lake, model=self.model) for shard in self.result["price"]]

    def commit(self) -> str:
        return publishing.commit_embeddings(self.batch_id, self.lake)

    def audit(self) -> str:
        return auditing.conclude_audit(self.batch_id, self.checks(), self.lake)

    def checks(self) -> list[auditing.Result]:
        """The verdict of every check."""
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(lambda name: auditing.run_check(self.batch_id, name, self.lake), settings.checks()))

    def publish(self) -> dict[str, Any]:
        return publishing.publish_batch(self.batch_id, self.lake)


def run_batch(lake: Lake, profile: str = "small", model: EmbeddingModel | None = None, **options: Any) -> BatchRun:
    """One whole run of embed_documents, from detect to publish."""
    return BatchRun(lake, profile, model or CountingModel(), **options).until("publish")


def leave_branches(run: BatchRun) -> None:
    """Make the branches of an embedded batch, whatever became of it, as tasks that read before that it is open and are killed then."""
    versions = [file for shard in run.result["chunk"] for file in shard["version_files"]]
    for table, files in ((DOCUMENT_EMBEDDINGS, staged_files(run.lake, run.batch_id)), (DOCUMENT_VERSIONS, versions)):
        commit_files(run.lake.table(table), branch_name(run.batch_id), files, {"batch_id": run.batch_id})


def put_documents(lake: Lake, documents: Mapping[str, str], media_type: str = "text/markdown") -> None:
    """Make these the source's documents, by their ids; no other remains."""
    rows = [
        {"doc_id": doc_id, "document_text": text, "content_hash": content_hash(text), "media_type": media_type}
        for doc_id, text in documents.items()
    ]
    put_source_rows(lake, rows)


def put_source_rows(lake: Lake, rows: list[dict[str, Any]]) -> None:
    """Make these the source's rows, whatever they hold."""
    table = lake.table(SOURCE_DOCUMENTS)
    now = datetime.now(UTC)
    table.overwrite(pa.Table.from_pylist([{"updated_at": now, **row} for row in rows], schema=table.schema().as_arrow()))


def current_documents(lake: Lake, profile: str = "small") -> dict[str, list[str]]:
    """The chunk ids of every current document, in reading order."""
    rows = scan(lake.table(DOCUMENT_VERSIONS), profile=profile).to_arrow().to_pylist()
    latest = {row["doc_id"]: row for row in sorted(rows, key=lambda row: row["batch_number"])}
    return {doc_id: row["chunk_ids"] for doc_id, row in latest.items() if not row["is_deleted"]}


def current_chunks(lake: Lake, profile: str = "small") -> dict[str, tuple[str, str, bytes]]:
    """Document, text and vector (its float32 bytes) of every current chunk by its id; fails where a chunk has none or two rows."""
    rows = scan(lake.table(DOCUMENT_EMBEDDINGS), profile=profile).to_arrow().to_pylist()
    wanted = [chunk for chunks in current_documents(lake, profile).values() for chunk in chunks]
    kept = {row["chunk_id"]: row for row in rows}
    assert len(kept) == len(rows), "a chunk has two rows"
    return {chunk: (kept[chunk]["doc_id"], kept[chunk]["chunk_text"], _vector_bytes(kept[chunk])) for chunk in wanted}


def _vector_bytes(row: dict[str, Any]) -> bytes:
    return np.asarray(row["embedding"], np.float32).tobytes()


def state_of(lake: Lake) -> dict[str, Any]:
    """What the lake holds on main, without times, batch ids and snapshot ids: equal for two ways to the same end."""
    return {
        table.name: sorted(
            str({key: value for key, value in row.items() if key not in VARYING}) for row in lake.table(table).scan().to_arrow().to_pylist()
        )
        for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)
    }


VARYING = ("batch_id", "copied_from_batch", "created_at", "recorded_at", "source_snapshot", "source_sequence_number", "batch_number")


def half_written_parts(home: Path) -> set[Path]:
    """The parts under their temporary names. A killed writer leaves its own, so that a test compares before and after."""
    return set(warehouse(home).rglob("*.writing"))


def rewrite_branch(lake: Lake, declared: Table, batch_id: str, edit: Callable[[list[Row]], list[Row]]) -> None:
    """Put other rows on the batch's branch of a table, in place of its own."""
    table, branch = lake.table(declared), branch_name(batch_id)
    rows = edit(scan(table, batch_id=batch_id).use_ref(branch).to_arrow().to_pylist())
    drop_branch(table, branch)
    # A file each, since a file lies in one partition.
    one_each = (pa.Table.from_pylist([row], schema=table.schema().as_arrow()) for row in rows)
    files = [write_part(table, parts_folder(table, "rewritten"), row) for row in one_each]
    commit_files(table, branch, files, {"batch_id": batch_id})
