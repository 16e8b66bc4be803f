"""What a run refuses before it does anything: too many deletes, an unknown profile, a profile whose settings changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.errors import ApprovalRequired, ConfigurationError
from tests.batches import BatchRun, current_documents, put_documents, put_source_rows, run_batch
from tests.lake_fixtures import PROFILES, SavedLake, StagedBatch, declare

CHANGED = PROFILES.replace("max_characters = 50", "max_characters = 60")


@pytest.fixture(scope="module")
def ten(module_lake: Lake, trino_stack) -> SavedLake:
    """Ten published documents."""
    put_documents(module_lake, {f"doc {number}": f"Text {number}." for number in range(10)})
    run_batch(module_lake)
    return SavedLake.of(trino_stack.home, module_lake)


def keep(lake: Lake, count: int) -> None:
    """Take all documents away but the first ones."""
    put_documents(lake, {f"doc {number}": f"Text {number}." for number in range(count)})


def test_as_many_deletes_as_are_never_asked_about_go_through(ten: SavedLake, profiles: Path) -> None:
    lake = ten.restore()
    keep(lake, 5)
    run_batch(lake, allow_deletes=False)
    assert len(current_documents(lake)) == 5


@pytest.mark.parametrize("remaining", [4, 0])
def test_too_many_deletes_wait_for_approval(ten: SavedLake, profiles: Path, remaining: int) -> None:
    lake = ten.restore()
    keep(lake, remaining)
    run = BatchRun(lake, allow_deletes=False).until("price")
    assert run.priced.needs_approval
    with pytest.raises(
        ApprovalRequired, match=rf"{10 - remaining} of 10 embedded documents are gone from docs_db\.source_documents.*batch\.delete_share"
    ):
        run.embed()
    assert len(current_documents(lake)) == 10


def test_with_consent_a_source_may_lose_everything(ten: SavedLake, profiles: Path) -> None:
    lake = ten.restore()
    keep(lake, 0)
    run_batch(lake, allow_deletes=True, is_audited=True)
    assert current_documents(lake) == {}


def test_a_source_that_came_back_is_embedded_without_buying_anything(ten: SavedLake, profiles: Path) -> None:
    lake = ten.restore()
    keep(lake, 3)
    run_batch(lake)
    keep(lake, 10)
    back = run_batch(lake)
    assert (len(current_documents(lake)), back.model.texts) == (10, [])


def test_an_unknown_profile_is_named_with_those_declared(lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown profile 'nonsense'; profiles\.toml declares small, other"):
        BatchRun(lake, "nonsense").until("detect")


def test_a_missing_file_of_profiles_is_named(profiles: Path) -> None:
    profiles.unlink()
    settings.profiles.cache_clear()
    with pytest.raises(ConfigurationError, match=rf"the profiles' file {profiles} does not exist: set EMBEDDING_LAKEHOUSE_PROFILES"):
        settings.profiles()


def test_published_vectors_bind_the_settings_of_their_profile(ten: SavedLake, profiles: Path) -> None:
    lake = ten.restore()
    declare(profiles, CHANGED)
    with pytest.raises(ConfigurationError, match=r"profile 'small' has other settings.*declare a new profile with a new model_version"):
        BatchRun(lake).until("detect")


def test_what_only_paces_a_batch_may_change_at_any_time(ten: SavedLake, profiles: Path) -> None:
    lake = ten.restore()
    declare(profiles, PROFILES.replace("documents = 40", "documents = 2"))
    assert BatchRun(lake).until("plan").result["plan"] == []


STEPS: dict[str, Callable[[BatchRun], object]] = {
    "plan": lambda run: run.chunk(),
    "chunk": lambda run: run.price(),
    "price": lambda run: run.embed(),
    "commit": lambda run: run.checks(),
}


@pytest.mark.parametrize(("done", "following"), STEPS.items(), ids=STEPS)
def test_a_profile_that_changes_under_way_stops_the_next_step(
    staged_batch: StagedBatch, profiles: Path, done: str, following: Callable[[BatchRun], object]
) -> None:
    run = staged_batch.after(done)
    declare(profiles, CHANGED)
    with pytest.raises(ConfigurationError, match=f"batch {run.batch_id} was begun under other settings of profile 'small'"):
        following(run)


def test_a_batch_begun_under_other_settings_is_not_resumed(lake: Lake, profiles: Path) -> None:
    put_documents(lake, {"a": "Text."})
    begun = BatchRun(lake).until("plan")
    declare(profiles, CHANGED)
    with pytest.raises(ConfigurationError, match=f"batch {begun.batch_id} was begun under other settings.*discard_open"):
        BatchRun(lake).until("plan")


def test_a_batch_begun_under_other_settings_can_be_given_up(lake: Lake, profiles: Path) -> None:
    put_documents(lake, {"a": "Text."})
    BatchRun(lake).until("plan")
    declare(profiles, CHANGED)
    run = BatchRun(lake, discard_open=True).until("publish")
    assert run.row["profile_fingerprint"] == settings.profile("small").fingerprint


def test_a_source_row_without_an_id_is_left_out_and_shown_and_stops_no_other(lake: Lake) -> None:
    nameless = {"doc_id": None, "title": "Whose?", "document_text": "Whose?", "content_hash": "h"}
    put_source_rows(lake, [nameless, {"doc_id": "a", "document_text": "Text.", "content_hash": "h", "media_type": "text/plain"}])
    run = run_batch(lake, is_audited=True)
    assert run.result["detect"]["nameless"] == 1
    assert current_documents(lake).keys() == {"a"}
    results = lake.table(QUALITY_RESULTS).scan(row_filter="verdict = 'warned'").to_arrow().to_pylist()
    assert [(row["check_name"], "Whose?" in row["sample"]) for row in results] == [("every_source_row_has_a_doc_id", True)]


def test_a_document_that_stands_twice_in_the_source_is_embedded_once(lake: Lake) -> None:
    rows = [{"doc_id": "a", "document_text": "Text.", "content_hash": "h", "media_type": "text/plain"}] * 2
    put_source_rows(lake, rows)
    run = run_batch(lake, is_audited=True)
    assert (run.row["documents_new"], run.row["documents_remaining"], len(current_documents(lake)["a"])) == (1, 0, 1)


def test_a_document_without_a_text_has_a_version_without_chunks(lake: Lake) -> None:
    put_source_rows(lake, [{"doc_id": "a", "document_text": None, "content_hash": None}])
    run_batch(lake, is_audited=True)
    assert current_documents(lake) == {"a": []}
