"""A batch whose model answered nothing but zeros, and which its audit blocked."""

from typing import Any

import numpy as np
import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.errors import AuditFailed
from tests.batches import BatchRun, CountingModel, put_documents
from tests.lake_fixtures import SavedLake


class WrongModel(CountingModel):
    """Answers the same wrong vectors for whatever it is asked."""

    def __init__(self, vectors: Any) -> None:
        super().__init__()
        self.wrong = vectors

    def embed(self, texts: list[str]) -> Embedded:
        return Embedded(self.wrong(len(texts)), [1] * len(texts))


def heads(lake: Lake) -> list[int]:
    """Where main of both tables stands."""
    return [head_snapshot(lake.table(table)).snapshot_id for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)]


class Blocked:
    """A lake in which a model's zero vectors blocked a batch."""

    def __init__(self, home: Any, lake: Lake) -> None:
        put_documents(lake, {"a": "Alpha.", "b": "Beta."})
        self.heads = heads(lake)
        run = BatchRun(lake, model=WrongModel(lambda count: np.zeros((count, 8)))).until("commit")
        with pytest.raises(AuditFailed) as caught:
            run.audit()
        self.error = caught.value
        self.message = str(caught.value)
        self.batch_id = run.batch_id
        self.saved = SavedLake.of(home, lake)


@pytest.fixture(scope="module")
def blocked(module_lake: Lake, trino_stack: Stack) -> Blocked:
    """A batch that its audit blocked."""
    return Blocked(trino_stack.home, module_lake)
