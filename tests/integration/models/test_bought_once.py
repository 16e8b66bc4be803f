"""The same text in the same profile is bought once, wherever and whenever it stands: what the service was asked for says so."""

from pathlib import Path

import pytest

from dev.stack import Stack
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import load_model
from tests.batches import BatchRun, current_chunks, put_documents, run_batch
from tests.lake_fixtures import SavedLake, declare
from tests.model_fixtures import ModelServer

PROFILE = """
[profiles.paid]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "paid-v1"
dimensions = 16
chunking = { strategy = "structure", max_characters = 60 }
batch = { shard_tokens = 20, checkpoint_chunks = 2 }
"""
NOTICE = "This notice stands at the end of every document."
FIRST = {name: "\n\n".join([f"What only the document {name} says of itself.", NOTICE]) for name in "abcd"}
TEXTS = {text for document in FIRST.values() for text in document.split("\n\n")}


@pytest.fixture
def lake(lake: Lake, profiles: Path, model_server: ModelServer) -> Lake:
    """An empty lake, and a service that was not asked yet."""
    declare(profiles, PROFILE)
    return lake


@pytest.fixture(scope="module")
def published(module_lake: Lake, module_profiles: Path, model_process: ModelServer, trino_stack: Stack) -> SavedLake:
    """The first documents, published."""
    declare(module_profiles, PROFILE)
    put_documents(module_lake, FIRST)
    run(module_lake)
    return SavedLake.of(trino_stack.home, module_lake)


@pytest.fixture
def follows(published: SavedLake, profiles: Path, model_server: ModelServer) -> Lake:
    """A lake with the first documents, and a service that was not asked for anything since."""
    declare(profiles, PROFILE)
    return published.restore()


def run(lake: Lake, documents: dict[str, str] | None = None) -> BatchRun:
    """A run that brings the lake up to date, with other documents if they are given."""
    if documents is not None:
        put_documents(lake, documents)
    return run_batch(lake, "paid", load_model(settings.profile("paid")))


def begun(lake: Lake, last: str) -> BatchRun:
    """A run that ended after a step."""
    return BatchRun(lake, "paid", load_model(settings.profile("paid")), is_audited=True).until(last)


def assert_current(lake: Lake, documents: dict[str, str]) -> None:
    """Every text of the documents, and no other, has a current vector."""
    expected = {(doc_id, text) for doc_id, document in documents.items() for text in document.split("\n\n")}
    assert {(doc_id, text) for doc_id, text, _ in current_chunks(lake, "paid").values()} == expected


def test_boilerplate_of_many_documents_is_bought_once_over_all_shards(lake: Lake, model_server: ModelServer) -> None:
    documents = {f"document {number}": f"What number {number} says.\n\n{NOTICE}" for number in range(20)}
    done = run(lake, documents)
    assert len(done.result["price"]) > 1
    assert_current(lake, documents)
    bought = model_server.asked()[1]
    assert (len(bought), set(bought.values())) == (21, {1})


def test_copies_of_a_document_in_its_own_batch_are_not_bought(lake: Lake, model_server: ModelServer) -> None:
    documents = {"original": FIRST["a"], "copy": FIRST["a"], "another copy": FIRST["a"]}
    run(lake, documents)
    assert_current(lake, documents)
    assert sorted(model_server.asked()[1].elements()) == sorted(FIRST["a"].split("\n\n"))


def test_copies_of_a_document_in_a_later_batch_are_not_bought(follows: Lake, model_server: ModelServer) -> None:
    documents = FIRST | {"copy": FIRST["a"]}
    run(follows, documents)
    assert_current(follows, documents)
    assert model_server.asked()[0] == []


def test_of_a_text_that_two_batches_share_only_the_first_one_buys(follows: Lake, model_server: ModelServer) -> None:
    documents = {"late": f"What came with the second batch.\n\n{NOTICE}"} | FIRST
    run(follows, documents)
    assert_current(follows, documents)
    assert list(model_server.asked()[1].elements()) == ["What came with the second batch."]


def test_an_edit_buys_its_own_text_and_its_revert_buys_nothing(follows: Lake, model_server: ModelServer) -> None:
    edited = FIRST | {"a": f"What an edit has put there.\n\n{NOTICE}"}
    run(follows, edited)
    assert_current(follows, edited)
    run(follows, FIRST)
    assert_current(follows, FIRST)
    assert list(model_server.asked()[1].elements()) == ["What an edit has put there."]


def test_a_document_that_was_deleted_and_came_back_is_not_bought_again(follows: Lake, model_server: ModelServer) -> None:
    without = {name: text for name, text in FIRST.items() if name != "a"}
    run(follows, without)
    assert_current(follows, without)
    run(follows, FIRST)
    assert_current(follows, FIRST)
    assert model_server.asked()[0] == []


def test_a_document_that_came_back_under_another_name_is_not_bought_again(follows: Lake, model_server: ModelServer) -> None:
    renamed = {f"moved/{name}": text for name, text in FIRST.items()}
    run(follows, renamed)
    assert_current(follows, renamed)
    assert model_server.asked()[0] == []


@pytest.mark.parametrize("done", ["embed", "publish"])
def test_a_task_that_is_cleared_after_it_succeeded_buys_nothing(lake: Lake, model_server: ModelServer, done: str) -> None:
    put_documents(lake, FIRST)
    cleared = begun(lake, done)
    # With the tasks after it, as a person clears them.
    for step in ("embed", "commit", "audit", "publish"):
        cleared.done(step)
    assert_current(lake, FIRST)
    assert cleared.row["state"] == "published"
    assert model_server.asked()[1] == dict.fromkeys(TEXTS, 1)


def test_a_run_that_takes_up_an_abandoned_one_buys_nothing_again(lake: Lake, model_server: ModelServer) -> None:
    put_documents(lake, FIRST)
    begun(lake, "embed")
    run(lake)
    assert_current(lake, FIRST)
    assert model_server.asked()[1] == dict.fromkeys(TEXTS, 1)


def test_what_a_person_gives_up_is_trusted_no_more_and_bought_anew(lake: Lake, model_server: ModelServer) -> None:
    put_documents(lake, FIRST)
    begun(lake, "embed")
    run_batch(lake, "paid", load_model(settings.profile("paid")), discard_open=True)
    assert_current(lake, FIRST)
    assert model_server.asked()[1] == dict.fromkeys(TEXTS, 2)
