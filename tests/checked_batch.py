"""A committed batch whose rows a test changes before a check looks at them, with the edits that tests share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dev.stack import Stack
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.quality_results import record
from embedding_lakehouse.core.batches import branch_name
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, Table
from embedding_lakehouse.steps.embed_documents.auditing import Result, run_check
from tests.batches import BatchRun, put_documents, rewrite_branch, run_batch
from tests.lake_fixtures import SavedLake

Row = dict[str, Any]
Edit = Callable[[list[Row]], list[Row]]

# A chunk that stays as it is when a section follows it.
BETA = "# Beta\n\nThe text of beta."


class Committed:
    """A batch on its branches that changed `b`, emptied `c`, took `d` away, and copied for `e` what stands in `a`.

    The batch `first` was published before it.
    """

    def __init__(self, lake: Lake, first: str, batch_id: str) -> None:
        self.lake = lake
        self.first = first
        self.batch_id = batch_id

    def check(self, name: str) -> Result:
        return run_check(self.batch_id, name, self.lake)

    def rows(self, declared: Table) -> list[Row]:
        """The batch's rows on its branch of a table."""
        table = self.lake.table(declared)
        return scan(table, batch_id=self.batch_id).use_ref(branch_name(self.batch_id)).to_arrow().to_pylist()

    def published(self) -> list[Row]:
        """The rows of the embeddings on main."""
        return self.lake.table(DOCUMENT_EMBEDDINGS).scan().to_arrow().to_pylist()

    def record(self, batch_id: str, check_name: str, sample: list[Row]) -> None:
        """Put what a check found of a batch into its history."""
        record(self.lake, [{"batch_id": batch_id, "check_name": check_name, "verdict": "passed", "sample": json.dumps(sample)}])

    def embeddings(self, edit: Edit) -> "Committed":
        rewrite_branch(self.lake, DOCUMENT_EMBEDDINGS, self.batch_id, edit)
        return self

    def versions(self, edit: Edit) -> "Committed":
        rewrite_branch(self.lake, DOCUMENT_VERSIONS, self.batch_id, edit)
        return self

    def journal(self, batch_id: str, **changes: Any) -> "Committed":
        batches.journal(self.lake).change(lambda rows: [row | changes for row in rows if row["batch_id"] == batch_id])
        return self


@pytest.fixture(scope="module")
def saved_batches(trino_stack: Stack, module_lake: Lake) -> tuple[SavedLake, str, str]:
    """Two batches, the first one published, the second one committed and not yet audited; their ids."""
    put_documents(module_lake, {"a": "Alpha.", "b": BETA, "c": "Gamma.", "d": "Delta."})
    first = run_batch(module_lake).batch_id
    put_documents(
        module_lake, {"a": "Alpha.", "b": f"{BETA}\n\n# More\n\nA section that leaves no place for the first one.", "c": "", "e": "Alpha."}
    )
    second = BatchRun(module_lake).until("commit").batch_id
    return SavedLake.of(trino_stack.home, module_lake), first, second


@pytest.fixture
def committed(saved_batches: tuple[SavedLake, str, str], module_profiles: Path) -> Committed:
    saved, first, second = saved_batches
    return Committed(saved.restore(), first, second)


def only(condition: Callable[[Row], bool]) -> Edit:
    """Keep the rows that meet the condition."""
    return lambda rows: [row for row in rows if condition(row)]


def first_with(**changes: Any) -> Edit:
    """Change the first row, by chunk or document."""

    def edit(rows: list[Row]) -> list[Row]:
        first, *others = sorted(rows, key=lambda row: row.get("chunk_id") or row["doc_id"])
        return [first | changes, *others]

    return edit


def document_with(doc_id: str, /, **changes: Any) -> Edit:
    """Change the rows of one document."""
    return lambda rows: [row | changes if row["doc_id"] == doc_id else row for row in rows]


def vector(*values: float) -> list[float]:
    """A vector that begins with these values."""
    return np.array([*values, *[1.0] * (8 - len(values))], np.float32).tolist()
