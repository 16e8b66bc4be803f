"""A model that answers nonsense, rows that were lost: main stays as it was, the rows are named, and there is a way on."""

import json
from typing import Any

import numpy as np
import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded
from embedding_lakehouse.core.checks import CHECKS
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, QUALITY_RESULTS
from embedding_lakehouse.errors import AuditFailed, ConfigurationError, TransientError
from embedding_lakehouse.steps.embed_documents import auditing
from tests.batches import BatchRun, CountingModel, current_chunks, put_documents, rewrite_branch, state_of
from tests.lake_fixtures import SavedLake, StagedBatch

pytestmark = pytest.mark.usefixtures("module_profiles")


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
        self.message = str(caught.value)
        self.batch_id = run.batch_id
        self.saved = SavedLake.of(home, lake)


@pytest.fixture(scope="module")
def blocked(module_lake: Lake, trino_stack: Stack) -> Blocked:
    return Blocked(trino_stack.home, module_lake)


def test_a_blocked_batch_leaves_main_as_it_was(blocked: Blocked) -> None:
    assert heads(blocked.saved.restore()) == blocked.heads


def test_the_message_names_the_check_the_rows_and_what_to_do(blocked: Blocked) -> None:
    assert f"batch {blocked.batch_id} is blocked, main is as it was. no_vector_is_zero: 2 rows, such as" in blocked.message
    assert chunk_id("a", "Alpha.") in blocked.message
    assert "discard_open" in blocked.message


def test_the_journal_says_why_the_batch_is_blocked(blocked: Blocked) -> None:
    row = BatchRun(blocked.saved.restore(), result={"plan": [{"batch_id": blocked.batch_id}]}).row
    assert (row["state"], row["message"].split(":")[0]) == ("blocked", "no_vector_is_zero")


def test_every_verdict_is_recorded_with_a_sample(blocked: Blocked) -> None:
    rows = blocked.saved.restore().table(QUALITY_RESULTS).scan().to_arrow().to_pylist()
    assert {row["check_name"] for row in rows} == {check.name for check in CHECKS}
    (failed,) = (row for row in rows if row["verdict"] != "passed")
    assert (failed["check_name"], failed["verdict"], failed["violation_count"]) == ("no_vector_is_zero", "failed", 2)
    assert ["a", chunk_id("a", "Alpha."), "Alpha."] in json.loads(failed["sample"])


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
    failed = {"check": "no_vector_is_zero", "verdict": "failed", "violations": 7, "sample": [["a"], ["b"], ["c"], ["d"]]}
    with pytest.raises(AuditFailed, match=r"no_vector_is_zero: 7 rows do not hold, such as \[\['a'\], \['b'\], \['c'\]\]"):
        auditing.require_passed(failed)


def test_an_audit_without_a_committed_batch_says_so() -> None:
    with pytest.raises(AuditFailed, match="nothing was committed, so nothing was audited"):
        auditing.conclude_audit(None, [])
