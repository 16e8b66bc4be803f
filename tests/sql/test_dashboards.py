"""The statements that people paste, over two batches of one profile, the second of them rejected, and two releases."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sql import PLACEHOLDER, sql_folder, statement, statements
from embedding_lakehouse.core.hashing import chunk_id, content_hash
from embedding_lakehouse.steps.set_up import create_views
from tests.batches import BatchRun, put_documents, run_batch

DASHBOARDS = statements("dashboards")
FIRST = {"a": "Alpha.", "o'b": "It's beta."}
SECOND = {"a": "Alpha.", "o'b": "It's beta anew.", "c": "Alpha."}
ALPHA, BETA, ANEW, COPY = (
    chunk_id("a", "Alpha."),
    chunk_id("o'b", "It's beta."),
    chunk_id("o'b", "It's beta anew."),
    chunk_id("c", "Alpha."),
)
ZEROS, ONES, NOON = "0" * 64, "1" * 64, "2026-01-31 12:00:00"

Row = dict[str, Any]


class Pasted:
    """What the statements answer; the first release holds the first batch, the second one the second, which was then rejected."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        create_views(lake)
        Releases(lake).begin(settings.profile("small"), "a test")
        put_documents(lake, FIRST)
        self.first = run_batch(lake)
        self.answered_at = datetime.now(UTC)
        put_documents(lake, SECOND)
        self.second = run_batch(lake)
        Releases(lake).change(lambda rows: [*self._release(rows[0], 1, self.first), *self._release(rows[0], 2, self.second)])
        batches.journal(lake).change(
            lambda rows: [
                row | {"state": "rejected", "updated_at": datetime.now(UTC)} for row in rows if row["batch_id"] == self.second.batch_id
            ]
        )

    def _release(self, row: Row, number: int, run: BatchRun) -> Iterator[Row]:
        name, state = f"small-r{number}", {1: "retired", 2: "live"}[number]
        yield row | {"release_id": name, "namespace": name, "state": state, "versions_snapshot": run.row["versions_snapshot"]}

    def rows(self, dashboard: str, first: str = ZEROS, second: str = ONES) -> list[Row]:
        """The rows that a dashboard answers, with records put in place of those in the file, as its reader does."""
        text = (sql_folder() / "dashboards" / f"{dashboard}.sql").read_text()
        answered = f"{self.answered_at:%Y-%m-%d %H:%M:%S.%f}"
        return self.run(text.replace(ZEROS, first).replace(ONES, second).replace(NOON, answered))

    def run(self, text: str) -> list[Row]:
        """The rows that a statement answers, by column."""
        with closing(self.lake.sql.connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(text)
            return [dict(zip([column.name for column in cursor.description], row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def pasted(module_lake: Lake) -> Pasted:
    return Pasted(module_lake)


@pytest.mark.parametrize("path", DASHBOARDS)
def test_a_dashboard_needs_nothing_filled_in_and_nothing_that_athena_lacks(path: str) -> None:
    text = statement(path)
    assert not PLACEHOLDER.search(text)
    assert "?" not in text
    assert "table_changes" not in text


def test_lineage_names_version_model_batch_and_run_of_a_record(pasted: Pasted) -> None:
    (row,) = pasted.rows("lineage_of_records", ALPHA, ALPHA)[:1]
    assert (row["doc_id"], row["content_hash"], row["chunk_text"]) == ("a", content_hash("Alpha."), "Alpha.")
    assert (row["batch_id"], row["batch_state"], row["model_version"]) == (pasted.first.batch_id, "published", "small-v1")
    assert (row["dag_id"], row["run_id"], row["is_changed"], row["is_deleted"]) == ("embed_documents", "a run", False, False)


def test_lineage_says_that_a_record_was_rejected_or_its_document_changed(pasted: Pasted) -> None:
    rows = {row["record_id"]: row for row in pasted.rows("lineage_of_records", BETA, COPY)}
    assert (rows[BETA]["is_rejected"], rows[BETA]["rejected_at"], rows[BETA]["is_changed"]) == (False, None, True)
    assert rows[BETA]["current_content_hash"] == content_hash("It's beta anew.")
    assert (rows[COPY]["is_rejected"], rows[COPY]["copied_from_batch"]) == (True, pasted.first.batch_id)


def test_the_statement_that_lineage_names_reads_the_text_as_it_was(pasted: Pasted) -> None:
    row = next(row for row in pasted.rows("lineage_of_records", BETA) if row["record_id"] == BETA)
    assert pasted.run(row["text_statement"]) == [{"document_text": "It's beta."}]


def test_a_record_that_never_was_has_an_empty_line(pasted: Pasted) -> None:
    assert [(row["record_id"], row["doc_id"]) for row in pasted.rows("lineage_of_records")] == [(ZEROS, None), (ONES, None)]


def test_each_release_stands_on_the_versions_of_its_time(pasted: Pasted) -> None:
    rows = pasted.rows("versions_behind_releases")
    assert [(row["release_id"], row["release_state"], row["doc_id"], row["content_hash"]) for row in rows] == [
        *(("small-r1", "retired", doc_id, content_hash(text)) for doc_id, text in sorted(FIRST.items())),
        *(("small-r2", "live", doc_id, content_hash(text)) for doc_id, text in sorted(SECOND.items())),
    ]


def test_a_release_shows_what_of_it_is_rejected_and_what_changed_since(pasted: Pasted) -> None:
    rows = {(row["release_id"], row["doc_id"]): row for row in pasted.rows("versions_behind_releases")}
    assert (rows["small-r1", "o'b"]["batch_state"], rows["small-r1", "o'b"]["is_changed"]) == ("published", True)
    assert (rows["small-r2", "o'b"]["batch_state"], rows["small-r2", "o'b"]["is_changed"]) == ("rejected", False)


def test_an_answer_is_found_in_the_period_of_its_version(pasted: Pasted) -> None:
    rows = [row for row in pasted.rows("answers_over_time", BETA) if row["record_id"] == BETA]
    assert [(row["content_hash"], row["has_record"], row["is_answer"]) for row in rows] == [
        (content_hash("It's beta."), True, True),
        (content_hash("It's beta anew."), False, False),
    ]
    assert rows[0]["valid_from"] <= pasted.answered_at < rows[0]["valid_until"] == rows[1]["valid_from"]
    assert (rows[0]["vector_batch_id"], rows[0]["is_rejected"]) == (pasted.first.batch_id, False)


def test_an_answer_from_a_batch_rejected_since_is_shown_as_such(pasted: Pasted) -> None:
    (row,) = (row for row in pasted.rows("answers_over_time", ANEW) if row["has_record"])
    assert (row["batch_state"], row["vector_batch_id"], row["is_rejected"]) == ("rejected", pasted.second.batch_id, True)
    assert row["rejected_at"] >= row["valid_from"]
