"""More documents than one batch takes on, and changes that come while a batch is under way."""

from pathlib import Path

import pytest

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.errors import NothingToDo
from embedding_lakehouse.steps.embed_documents import planning, publishing
from tests.batches import BatchRun, put_documents, run_batch
from tests.lake_fixtures import PROFILES, declare


@pytest.fixture
def lake(lake: Lake, profiles: Path) -> Lake:
    """A lake whose profile takes on three documents a batch."""
    declare(profiles, PROFILES.replace("documents = 40", "documents = 3"))
    return lake


def test_a_backlog_is_worked_off_in_several_batches(lake: Lake) -> None:
    put_documents(lake, {f"doc {number}": f"Text {number}." for number in range(7)})
    published = [run_batch(lake, is_audited=batch == 0).result["publish"] for batch in range(3)]
    assert [batch["documents_remaining"] for batch in published] == [4, 1, 0]
    assert [row["batch_number"] for row in batches.journal(lake).rows()] == [1, 2, 3]
    assert planning.detect_changes("small", lake)["unchanged"] == 7


def test_changes_that_come_while_a_batch_waits_call_for_the_next_one(lake: Lake) -> None:
    put_documents(lake, {"a": "Text."})
    left = BatchRun(lake).until("plan")
    put_documents(lake, {"a": "Text.", "b": "Came later."})
    published = run_batch(lake).result["publish"]
    assert published == {"batch_id": left.batch_id, "documents_remaining": 0, "source_moved": True}
    assert publishing.require_backlog(published) == 0


def test_the_next_batch_is_called_for_while_documents_wait() -> None:
    assert publishing.require_backlog({"documents_remaining": 4, "source_moved": False}) == 4


def test_no_batch_is_called_for_when_all_is_covered() -> None:
    with pytest.raises(NothingToDo, match="every document of the source is covered"):
        publishing.require_backlog({"documents_remaining": 0, "source_moved": False})
