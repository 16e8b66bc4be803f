"""A lake in which everything happened that dashboards show, and the figures that a plain count over its tables gives."""

from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.clients.sql import sql_folder
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.maintenance import Rules
from embedding_lakehouse.core.monitoring_tables import ALERTS, DRIFT_MEASURES, DRIFT_VERDICTS
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, EMBEDDING_BATCHES, REJECTED_CHUNKS, Table
from embedding_lakehouse.errors import AuditFailed
from embedding_lakehouse.steps.maintain_tables.maintaining import maintain_table
from embedding_lakehouse.steps.set_up import create_views
from embedding_lakehouse.steps.set_up_index import create_index
from tests.batches import BatchRun, CountingModel, put_documents
from tests.index_fixtures import Following
from tests.reconcile_fixtures import Reconciling
from tests.release_fixtures import Rebuilding
from tests.roll_back_fixtures import RollingBack

Row = dict[str, Any]

FIRST = {"a": "Alpha.", "b": "# Beta\n\nThe text of beta.", "c": "Gamma.", "d": "Delta."}
# `b` is edited, `d` deleted, `e` has a text that `a` has.
SECOND = {"a": "Alpha.", "b": "# Beta\n\nThe text of beta, anew.", "c": "Gamma.", "e": "Alpha.", "f": "Phi."}
# Two documents share a new text, and `c` keeps a part of itself.
THIRD = SECOND | {"g": "The text of gee.", "i": "The text of gee.", "c": f"Gamma.\n\n{'A second part of gamma. ' * 2}"}
# What no batch embedded: `h` is new, `a` edited, `g` taken away.
NOW = {doc: text for doc, text in (THIRD | {"h": "Eta.", "a": "Alpha at last."}).items() if doc != "g"}


class ZeroModel(CountingModel):
    """Answers zero vectors, which no audit passes."""

    def embed(self, texts: list[str]) -> Embedded:
        return Embedded(np.zeros((len(texts), self.dimensions), np.float32), [1] * len(texts))


class FilledLake:
    """Two profiles: the first with three batches, a roll-back of the second, a blocked batch, two releases and a reconciliation.

    The second profile has a published batch and one that waits for its audit. Drift, alerts and refused chunks are rows put there by hand.
    """

    def __init__(self, lake: Lake, profile: str, service: IndexService) -> None:
        self.lake, self.profile = lake, profile
        create_views(lake)
        create_index(profile, lake=lake, service=service)
        self.index = Following(lake, settings.profile(profile), service)
        self.first = self._embed(FIRST, is_audited=True)
        self.other = self._embed(FIRST, profile="other")
        self.index.sync()
        self.second = self._embed(SECOND, is_audited=True)
        self.index.sync()
        self.third = self._embed(THIRD)
        self.release = Rebuilding(lake, self.index.profile, service).rebuild()
        self.roll_back = RollingBack(self.index).roll_back(without_batch=self.second)["batch_id"]
        self.index.sync()
        self._reconcile()
        self.open = self._begin(THIRD, "other")
        self.blocked = self._block(NOW)
        self._put_drift()
        self._put_alerts()
        self._put_rejections()
        maintain_table(DOCUMENT_VERSIONS.name, Rules().as_keys(), "a run", lake=lake)

    def answer(self, dashboard: str, replaced: Mapping[str, str] | None = None) -> list[Row]:
        """The rows that a dashboard answers, with values put in place of those in the file, as its reader does."""
        text = (sql_folder() / "dashboards" / f"{dashboard}.sql").read_text()
        for old, new in (replaced or {}).items():
            assert old in text
            text = text.replace(old, new)
        with closing(self.lake.sql.connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(text)
            return [dict(zip([column.name for column in cursor.description], row, strict=True)) for row in cursor.fetchall()]

    def run(self, text: str) -> list[list[Any]]:
        """The rows that a statement answers."""
        with closing(self.lake.sql.connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())

    def rows(self, table: Table, **equal: Any) -> list[Row]:
        """The rows of a table on main, read without SQL."""
        rows = self.lake.table(table).scan().to_arrow().to_pylist()
        return [row for row in rows if all(row[column] == value for column, value in equal.items())]

    @cached_property
    def batches(self) -> dict[str, Row]:
        """The row of every batch by its id."""
        return {row["batch_id"]: row for row in self.rows(EMBEDDING_BATCHES)}

    def current(self, profile: str) -> dict[str, Row]:
        """The latest version of every document that is not deleted."""
        latest = {row["doc_id"]: row for row in sorted(self.rows(DOCUMENT_VERSIONS, profile=profile), key=lambda row: row["batch_number"])}
        return {doc_id: row for doc_id, row in latest.items() if not row["is_deleted"]}

    @cached_property
    def rejected(self) -> set[str]:
        """The batches that were rejected."""
        return {batch_id for batch_id, row in self.batches.items() if row["state"] == "rejected"}

    def _begin(self, documents: dict[str, str], profile: str, **options: Any) -> str:
        put_documents(self.lake, documents)
        return BatchRun(self.lake, profile, **options).until("commit").batch_id

    def _embed(self, documents: dict[str, str], profile: str = "", **options: Any) -> str:
        put_documents(self.lake, documents)
        return BatchRun(self.lake, profile or self.profile, **options).until("publish").batch_id

    def _block(self, documents: dict[str, str]) -> str:
        """A batch that is audited twice and does not hold."""
        put_documents(self.lake, documents)
        run = BatchRun(self.lake, self.profile, ZeroModel()).until("commit")
        for _ in range(2):
            with suppress(AuditFailed):
                run.audit()
        return run.batch_id

    def _reconcile(self) -> None:
        """Compare an index that lacks a record, and repair it; then compare again."""
        self.index.index.delete(self.index.namespace, [chunk_id("a", "Alpha.")])
        for _ in range(2):
            Reconciling(self.index).reconcile(repair="auto", repair_limit=1.0)

    def _put_drift(self) -> None:
        day = datetime(2026, 1, 30, 6, tzinfo=UTC)
        of = {"profile": self.profile, "model_version": "v1", "engine": "trino", "dag_id": "monitor_embeddings", "run_id": "a run"}
        quiet = of | {"monitor_id": "m1", "is_drift": False, "causes": [], "verdict": "no drift", "canary_cosine": 1.0, "measured_at": day}
        loud = of | {"monitor_id": "m2", "is_drift": True, "causes": ["provider", "index"], "verdict": "retrieval drift", "fidelity": 0.5}
        loud |= {"canary_cosine": 0.953, "since_at": day, "since_batch_id": self.second, "measured_at": day + timedelta(days=1)}
        self._append(DRIFT_VERDICTS, [quiet, loud])
        measured = {"m1": (day, {"centroid": 0.001, "canary": 0.0}), "m2": (day + timedelta(days=1), {"centroid": 0.002, "canary": 0.047})}
        limits = {"centroid": 0.002, "canary": 0.01}
        rows = [
            {"monitor_id": monitor, "profile": self.profile, "measure": measure, "drift": drift, "measured_at": at}
            | {"threshold": limits[measure], "is_exceeded": drift >= limits[measure]}
            for monitor, (at, drifts) in measured.items()
            for measure, drift in drifts.items()
        ]
        self._append(DRIFT_MEASURES, rows)

    def _put_alerts(self) -> None:
        numbers, begun = count(1), datetime(2026, 1, 31, 6, tzinfo=UTC)
        subjects = [("drift", "m2"), ("blocked_batch", self.blocked), ("blocked_batch", self.blocked)]
        rows = [
            {"alert_id": f"alert-{number}", "kind": kind, "profile": self.profile, "subject": subject, "summary": f"{kind} of {subject}"}
            | {
                "message": "what to do",
                "raised_at": begun + timedelta(hours=number),
                "dag_id": "a dag",
                "run_id": "a run",
                "task_id": "a task",
            }
            for (kind, subject), number in zip(subjects, numbers, strict=False)
        ]
        self._append(ALERTS, rows)

    def _put_rejections(self) -> None:
        at = datetime(2026, 1, 31, 8, tzinfo=UTC)
        of = {"profile": self.profile, "batch_id": self.first, "chunk_text": "Too much.", "text_hash": "1"}
        rows = [
            of | {"doc_id": "a", "reason_code": "too_long", "reason": "400 tokens", "rejected_at": at},
            of | {"doc_id": "b", "reason_code": "too_long", "reason": "500 tokens", "rejected_at": at + timedelta(hours=1)},
            of | {"doc_id": "b", "reason_code": "refused", "reason": "not wanted", "rejected_at": at, "text_hash": "2"},
        ]
        self._append(REJECTED_CHUNKS, rows)

    def _append(self, declared: Table, rows: list[Row]) -> None:
        table = self.lake.table(declared)
        table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
