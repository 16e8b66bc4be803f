"""A model that answers nonsense, rows that were lost: main stays as it was, the rows are named, and there is a way on."""

import json
import re
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, SOURCE_DOCUMENTS
from embedding_lakehouse.errors import AuditFailed, ConfigurationError, TransientError
from embedding_lakehouse.settings import checks
from embedding_lakehouse.steps.embed_documents import auditing
from tests.batches import BatchRun, CountingModel, current_chunks, rewrite_branch, state_of
from tests.blocked_batch import Blocked, WrongModel, heads
from tests.lake_fixtures import StagedBatch

pytestmark = pytest.mark.usefixtures("module_profiles")


def test_a_blocked_batch_leaves_main_as_it_was(blocked: Blocked) -> None:
    assert heads(blocked.saved.restore()) == blocked.heads


def test_the_message_names_the_check_the_rows_and_what_to_do(blocked: Blocked) -> None:
    assert f"batch {blocked.batch_id} is blocked, main is as it was. no_vector_is_zero: 2 rows, such as" in blocked.message
    assert chunk_id("a", "Alpha.") in blocked.message
    assert "discard_open" in blocked.message
    assert 'accept_checks ["no_vector_is_zero"] and an accept_reason' in blocked.message


def test_the_error_carries_the_batch_and_the_checks(blocked: Blocked) -> None:
    assert (blocked.error.batch_id, blocked.error.checks) == (blocked.batch_id, ("no_vector_is_zero",))


def test_the_statements_in_the_message_show_the_rows(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    statements = re.findall(r"select [^;\n]+", blocked.message)
    with closing(lake.sql.connect()) as connection, closing(connection.cursor()) as cursor:
        assert [len(cursor.execute(statement).fetchall()) for statement in statements] == [1, 2, 2]


def test_the_journal_says_why_the_batch_is_blocked(blocked: Blocked) -> None:
    row = BatchRun(blocked.saved.restore(), result={"plan": [{"batch_id": blocked.batch_id}]}).row
    assert (row["state"], row["message"].split(":")[0]) == ("blocked", "no_vector_is_zero")


def test_every_verdict_is_recorded_with_a_sample(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    rows = lake.table(QUALITY_RESULTS).scan().to_arrow().to_pylist()
    assert {row["check_name"] for row in rows} == set(checks())
    verdicts = {row["check_name"]: row["verdict"] for row in rows if row["verdict"] != "passed"}
    assert verdicts == {"no_vector_is_zero": "failed", "no_vector_stands_for_different_texts": "warned"}
    (failed,) = (row for row in rows if row["verdict"] == "failed")
    assert (failed["violation_count"], failed["threshold"], failed["measured_value"], failed["allowed_value"]) == (2, 0, 2.0, 0.0)
    assert {"doc_id": "a", "chunk_id": chunk_id("a", "Alpha."), "chunk_start": "Alpha."} in json.loads(failed["sample"])
    assert failed["source_snapshot"] == head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id


def test_running_again_audits_again_and_stays_blocked(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    with pytest.raises(AuditFailed, match="no_vector_is_zero"):
        BatchRun(lake, is_audited=True).until("publish")
    assert heads(lake) == blocked.heads


def test_a_batch_that_is_blocked_for_another_reason_says_so(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    rewrite_branch(lake, DOCUMENT_EMBEDDINGS, blocked.batch_id, lambda rows: [row | {"embedding": [1.0] * 7} for row in rows])
    run = BatchRun(lake).until("commit")
    with pytest.raises(AuditFailed):
        run.audit()
    assert run.row["message"].startswith("every_vector_has_the_declared_dimension: 2 rows")


def test_a_mended_branch_passes_and_is_published(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    rewrite_branch(lake, DOCUMENT_EMBEDDINGS, blocked.batch_id, lambda rows: [row | {"embedding": [1.0] * 8} for row in rows])
    run = BatchRun(lake, is_audited=True).until("publish")
    assert (run.batch_id, run.row["state"], run.row["message"]) == (blocked.batch_id, "published", None)


def test_a_blocked_batch_that_is_given_up_is_planned_anew(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    run = BatchRun(lake, discard_open=True, is_audited=True).until("publish")
    assert run.batch_id != blocked.batch_id
    assert {text for _, text, _ in current_chunks(lake).values()} == {"Alpha.", "Beta."}


WRONG_ANSWERS = {
    "vectors too short": (lambda count: np.ones((count, 7)), ConfigurationError, r"counted answers vectors of \(7,\) dimensions"),
    "vectors of different lengths": (lambda count: [[1.0] * (7 + number % 2) for number in range(count)], ConfigurationError, "different"),
    "too few vectors": (lambda count: np.ones((count - 1, 8)), TransientError, r"answered \d+ vectors for \d+ texts"),
    "not a number": (lambda count: np.full((count, 8), np.nan), TransientError, "NaN or infinity"),
    "infinity": (lambda count: np.full((count, 8), np.inf), TransientError, "NaN or infinity"),
}


@pytest.mark.parametrize(("vectors", "error", "message"), WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
def test_a_wrong_answer_stages_nothing_and_a_right_one_goes_on(
    staged_batch: StagedBatch, vectors: Any, error: type[Exception], message: str
) -> None:
    run = staged_batch.after("price")
    run.model = WrongModel(vectors)
    with pytest.raises(error, match=message):
        run.embed()
    run.model = CountingModel()
    for step in ("embed", "commit", "publish"):
        run.result[step] = getattr(run, step)()
    assert state_of(run.lake) == staged_batch.published


def test_a_check_that_did_not_run_blocks(staged_batch: StagedBatch) -> None:
    run = staged_batch.after("commit")
    results = [None, *run.checks()[1:]]
    with pytest.raises(AuditFailed, match="every_vector_has_the_declared_dimension: did not run"):
        auditing.conclude_audit(run.batch_id, results, run.lake)


def test_a_check_that_fails_raises_with_its_rows() -> None:
    failed = {"batch_id": "b", "check": "no_vector_is_zero", "verdict": "failed", "value": 7, "sample": [{"doc_id": doc} for doc in "abcd"]}
    with pytest.raises(AuditFailed, match=r"no_vector_is_zero: 7 rows, such as .*'a'.*'b'.*'c'}\]: a zero vector is near") as caught:
        auditing.require_passed(failed)
    assert (caught.value.batch_id, caught.value.checks) == ("b", ("no_vector_is_zero",))


def test_a_check_that_warns_is_seen_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    name = "few_documents_are_rejected_at_ingestion"
    auditing.require_passed({"batch_id": "b", "check": name, "verdict": "warned", "value": 0.25, "sample": [{"rejected_share": 0.25}]})
    (seen,) = caplog.records
    assert (seen.levelname, seen.getMessage().split(" (")[0]) == ("WARNING", f"warned, {name}: 0.25 measured, 0.1 allowed")


def test_an_audit_without_a_committed_batch_says_so() -> None:
    with pytest.raises(AuditFailed, match="nothing was committed, so nothing was audited"):
        auditing.conclude_audit(None, [])
