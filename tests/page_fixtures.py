"""What the tests of the Embeddings page share: somebody who asks, drift as its monitor records it, a batch that its audit blocks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded
from embedding_lakehouse.core.index_tables import INDEX_RECONCILIATIONS
from embedding_lakehouse.core.monitoring_tables import ALERTS, DRIFT_MEASURES, DRIFT_VERDICTS
from embedding_lakehouse.core.tables import Table
from embedding_lakehouse.errors import AuditFailed
from embedding_lakehouse.page.app import create_app
from embedding_lakehouse.page.gate import Gate
from embedding_lakehouse.page.showing import Sources
from tests.batches import BatchRun

HOSTILE = """"><script>document.title = 'broken'</script>'😀 & co"""
BEGAN = datetime(2026, 11, 1, 4, tzinfo=UTC)
VERDICT = "retrieval drift since batch 7: provider change; canary cosine fell from 1.000 to 0.953; 0 documents changed"


@dataclass(frozen=True)
class Somebody:
    """A reader who may trigger the DAGs named."""

    dags: tuple[str, ...] = ()

    async def reader(self, request: Request) -> "Somebody":
        return self

    def may_trigger(self, dag_id: str) -> bool:
        return dag_id in self.dags


def client(sources: Sources, who: Somebody | None = None) -> TestClient:
    """The page as a browser finds it behind its gate."""
    app = create_app(sources)
    return TestClient(Gate(lambda: app, who or Somebody()), raise_server_exceptions=False)


class ZeroModel:
    """Answers zero vectors, which no audit lets through."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def embed(self, texts: list[str]) -> Embedded:
        return Embedded(np.zeros((len(texts), self.dimensions), np.float32), [1] * len(texts))


def block_batch(lake: Lake, profile: str, dimensions: int) -> str:
    """Embed what changed with a wrong model; the batch that is blocked."""
    run = BatchRun(lake, profile, ZeroModel(dimensions), is_audited=True)
    with pytest.raises(AuditFailed):
        run.until("publish")
    return run.batch_id


def record_drift(lake: Lake, profile: str, days: int = 8) -> None:
    """A quiet week of measurements, then one that finds another provider."""
    for day in range(days):
        drifted, moment = day == days - 1, BEGAN + timedelta(days=day)
        shared = {"monitor_id": f"{profile}-{day}", "profile": profile, "measured_at": moment}
        verdict = VERDICT if drifted else "no drift: everything as in the baseline"
        causes = ["provider"] if drifted else []
        canary = 0.953 if drifted else 1.0
        append(lake, DRIFT_VERDICTS, [shared | {"is_drift": drifted, "causes": causes, "verdict": verdict, "canary_cosine": canary}])
        append(lake, DRIFT_MEASURES, [shared | measure for measure in _measures(day, drifted)])


def _measures(day: int, drifted: bool) -> list[dict[str, Any]]:
    canary = 0.047 if drifted else 0.0
    return [
        {
            "measure": "canary_distance",
            "cause": "provider",
            "drift": canary,
            "threshold": 0.01,
            "is_exceeded": drifted,
            "detail": "64 texts",
        },
        {"measure": "centroid_distance", "drift": 0.001 + 0.0004 * (day % 3), "threshold": 0.05, "is_exceeded": False},
        {"measure": "mean_text_length", "cause": "source", "drift": 0.02 * (day % 2), "threshold": 0.25, "is_exceeded": False},
    ]


def record_alert(lake: Lake, profile: str) -> None:
    """An alert about the drift, and a comparison of the index that found a record missing."""
    told = {"alert_id": f"{profile}-alert", "kind": "drift", "profile": profile, "summary": "Retrieval has drifted: provider"}
    append(lake, ALERTS, [told | {"message": f"{VERDICT}\nAsk the provider.", "raised_at": BEGAN}])
    compared = {"reconciliation_id": f"{profile}-1", "release_id": f"{profile}-r1", "profile": profile, "fidelity": 0.9996}
    counted = {"missing_count": 1, "orphaned_count": 0, "stale_count": 0, "expected_count": 2_500, "is_complete": True}
    append(lake, INDEX_RECONCILIATIONS, [compared | counted | {"finished_at": BEGAN}])


def append(lake: Lake, declared: Table, rows: list[dict[str, Any]]) -> None:
    """Append rows to a table of the lake."""
    table = lake.table(declared)
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
