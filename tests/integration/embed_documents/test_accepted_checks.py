"""A person lets a blocked batch pass: by the names of the checks it failed, with a reason, for this batch alone."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.errors import AuditFailed, InputError
from tests.batches import BatchRun, current_documents, put_documents, rewrite_branch
from tests.blocked_batch import Blocked, WrongModel, heads

pytestmark = pytest.mark.usefixtures("module_profiles")

ZERO = "no_vector_is_zero"


def accepting(*names: str, reason: str = "A test of zeros.") -> dict[str, Any]:
    """What somebody fills into the trigger form."""
    return {"accept_checks": list(names), "accept_reason": reason}


def accepted(lake: Lake) -> set[tuple[str, str, str]]:
    rows = lake.table(QUALITY_RESULTS).scan(row_filter="verdict = 'accepted'").to_arrow().to_pylist()
    return {(row["check_name"], row["accepted_by"], row["accepted_reason"]) for row in rows}


def test_an_accepted_batch_is_published_and_says_who_accepted_what_and_why(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    run = BatchRun(lake, is_audited=True, asked=accepting(ZERO), run_id="manual").until("publish")
    assert (run.batch_id, run.row["state"]) == (blocked.batch_id, "published")
    assert accepted(lake) == {(ZERO, "manual", "A test of zeros.")}
    assert current_documents(lake).keys() == {"a", "b"}


def test_what_was_accepted_stays_so_after_a_rebase_and_in_later_tries(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    run = BatchRun(lake, is_audited=True, asked=accepting(ZERO)).until("audit")
    run.plan()
    table = lake.table(DOCUMENT_EMBEDDINGS)
    table.append(pa.Table.from_pylist([{"chunk_id": "theirs", "batch_id": "theirs"}], schema=table.schema().as_arrow()))
    run.publish()
    assert run.row["state"] == "published"


def test_a_check_that_begins_to_fail_later_blocks(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    run = BatchRun(lake, asked=accepting(ZERO)).until("commit")
    rewrite_branch(lake, DOCUMENT_EMBEDDINGS, run.batch_id, lambda rows: [row | {"embedding": [0.0] * 7} for row in rows])
    with pytest.raises(AuditFailed) as caught:
        run.audit()
    assert caught.value.checks == ("every_vector_has_the_declared_dimension",)
    assert heads(lake) == blocked.heads


def test_a_batch_planned_afterwards_must_pass_by_itself(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    BatchRun(lake, is_audited=True, asked=accepting(ZERO)).until("publish")
    put_documents(lake, {"a": "Alpha.", "b": "Beta.", "c": "Gamma."})
    later = BatchRun(lake, model=WrongModel(lambda count: np.zeros((count, 8)))).until("commit")
    with pytest.raises(AuditFailed) as caught:
        later.audit()
    assert caught.value.checks == (ZERO,)


REFUSED = {
    "without a reason": (accepting(ZERO, reason=" "), "needs accept_reason"),
    "an unknown check": (
        accepting("no_vector_is_nil"),
        "accept_checks names 'no_vector_is_nil', which no check is called; there are every_",
    ),
    "a check that holds": (accepting(ZERO, "every_vector_is_finite"), f"did not fail every_vector_is_finite; it failed {ZERO}"),
    "a check that warns": (accepting("no_vector_stands_for_different_texts"), "did not fail no_vector_stands_for_different_texts"),
}


@pytest.mark.parametrize(("asked", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_accepted_is_refused_and_nothing_changes(blocked: Blocked, asked: dict[str, Any], message: str) -> None:
    lake = blocked.saved.restore()
    with pytest.raises(InputError, match=message):
        BatchRun(lake, asked=asked).until("plan")
    assert accepted(lake) == set()


def test_a_batch_that_is_not_blocked_has_nothing_to_accept(blocked: Blocked, empty_lake: Any) -> None:
    lake = empty_lake.restore()
    put_documents(lake, {"a": "Alpha."})
    with pytest.raises(InputError, match="the profile has none: it has no open batch"):
        BatchRun(lake, asked=accepting(ZERO)).until("plan")
    left = BatchRun(lake).until("plan")
    with pytest.raises(InputError, match=f"its open batch {left.batch_id} is planned"):
        BatchRun(lake, asked=accepting(ZERO)).until("plan")


def test_a_batch_is_not_accepted_and_discarded_at_once(blocked: Blocked) -> None:
    lake = blocked.saved.restore()
    with pytest.raises(InputError, match="lets the open batch pass, discard_open gives it up"):
        BatchRun(lake, discard_open=True, asked=accepting(ZERO)).until("plan")
    assert BatchRun(lake).until("plan").batch_id == blocked.batch_id
