"""Batches that were at work when documents were forgotten: what their tasks still make holds no erasure up, and goes."""

from dataclasses import dataclass
from uuid import uuid4

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.staged_batches import batches_of
from embedding_lakehouse.core.batches import branch_name
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from tests.batches import BatchRun, current_documents, leave_branches, put_documents, run_batch
from tests.forgetting_fixtures import Forgetting, hits
from tests.interruptions import interrupted_at_statement
from tests.release_fixtures import Rebuilding

UNTIL_THE_COMMIT = ("plan", "chunk", "price", "embed", "commit")


@dataclass
class Private:
    """A document to forget, beside one to keep, in the source of a lake."""

    lake: Lake
    profile: str
    mark: str

    @property
    def wanted(self) -> dict[str, list[str]]:
        """What an erasure of it is asked for."""
        return {"doc_ids": [f"private {self.mark}"]}

    def put(self, edition: str = "first") -> None:
        """Put an edition of both documents in place."""
        texts = {f"private {self.mark}": f"The {self.mark} is asleep.", "kept": f"The {edition} edition of a text that stays."}
        put_documents(self.lake, texts)

    def branches(self) -> set[str]:
        """The branches of batches that are left."""
        return {name for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS) for name in batches_of(self.lake, self.lake.table(table).refs())}


@pytest.fixture
def private(rebuilding: Rebuilding) -> Private:
    found = Private(rebuilding.lake, rebuilding.profile.name, f"okapi{uuid4().hex[:10]}")
    found.put()
    return found


def test_branches_that_late_tasks_made_go_with_what_they_hold(private: Private, forgetting: Forgetting, trino_stack: Stack) -> None:
    run = BatchRun(private.lake, private.profile).until("embed")
    erasure_id = forgetting.begin(forgetting.plan(**private.wanted), **private.wanted)
    leave_branches(run)
    assert hits(trino_stack.home, [private.mark])

    assert forgetting.erase(erasure_id)["checked"]["left"] == {}
    assert hits(trino_stack.home, [private.mark]) == []
    assert private.branches() == set()
    run_batch(private.lake, private.profile)
    assert current_documents(private.lake, private.profile).keys() == {"kept"}


def test_a_batch_that_was_planned_in_the_moment_of_the_tombstones_is_given_up(
    private: Private, forgetting: Forgetting, trino_stack: Stack
) -> None:
    begun = []
    plan = forgetting.plan(**private.wanted)
    run = BatchRun(private.lake, private.profile).until("detect")
    run.lake = interrupted_at_statement(
        private.lake, "plans/count_planned_documents", lambda: begun.append(forgetting.begin(plan, **private.wanted))
    )
    for step in UNTIL_THE_COMMIT:
        run.result[step] = run.done(step)
    assert private.branches() == {branch_name(run.batch_id)}

    assert forgetting.erase(*begun)["checked"]["left"] == {}
    assert hits(trino_stack.home, [private.mark]) == []
    given_up = batches.batch(private.lake, run.batch_id)
    assert (given_up["state"], given_up["message"]) == ("discarded", f"given up for the erasure {begun[0]}")
    assert private.branches() == set()
    run_batch(private.lake, private.profile)
    assert current_documents(private.lake, private.profile).keys() == {"kept"}


def test_a_batch_without_the_documents_goes_on_from_what_is_rewritten(private: Private, forgetting: Forgetting, trino_stack: Stack) -> None:
    run_batch(private.lake, private.profile)
    erasure_id = forgetting.begin(forgetting.plan(**private.wanted), **private.wanted)
    private.put("second")
    run = BatchRun(private.lake, private.profile).until("commit")
    assert forgetting.erase(erasure_id)["checked"]["left"] == {}
    assert private.branches() == {branch_name(run.batch_id)}
    run.publish()
    assert current_documents(private.lake, private.profile).keys() == {"kept"}
    assert hits(trino_stack.home, [private.mark]) == []
