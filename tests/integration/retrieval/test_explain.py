"""What stands behind an answer: now, and for one that was given before its document, profile, batch or release changed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.hashing import chunk_id, content_hash
from embedding_lakehouse.core.receipts import Receipt
from embedding_lakehouse.errors import InputError
from embedding_lakehouse.receipts import explain
from tests.batches import BatchRun, run_batch
from tests.integration.retrieval.conftest import History
from tests.lake_builder import LakeBuilder

KNEAD, BAKE = "Grüße, 世界! 𝄞 Knead\u00a0the dough ten minutes.", "Bake it at 220 degrees 'until' the crust is brown??"
BREAD = f"{KNEAD}\n\n{BAKE}"
HOTTER = f"{KNEAD}\n\nBake it at 250 degrees until the crust is black."
WRONG = "Bake it at 2,500 degrees."
KNEADING, BAKING, TOASTING = chunk_id("bread.md", KNEAD), chunk_id("bread.md", BAKE), chunk_id("toast.md", BAKE)
LEAVING, BURNING, SINGING = chunk_id("gone.md", "It goes."), chunk_id("wrong.md", WRONG), chunk_id("whales.md", "Whales sing.")
RECORDS = [KNEADING, BAKING, TOASTING, LEAVING, BURNING, SINGING]


@dataclass
class Answers:
    """The moments at which questions were answered, between the events of a history, and the batches of those events."""

    history: History
    first: datetime
    edited: datetime
    burning: datetime
    undone: datetime
    batches: dict[str, BatchRun]
    known: dict[tuple[str | datetime | None, ...], list[Receipt]] = field(default_factory=dict)

    def receipt(self, record_id: str, profile: str | None = None, at: datetime | None = None) -> Receipt:
        """The receipt of the record, among those of all; asked once for each moment, profile and default."""
        key = profile, at, settings.default_profile()
        if key not in self.known:
            self.known[key] = explain(RECORDS, profile, at, self.history.following.lake).receipts
        return next(receipt for receipt in self.known[key] if receipt.record_id == record_id)


@pytest.fixture(scope="module")
def answers(history: History) -> Answers:
    """An edit, a deletion and a copied text; a bad batch that is taken back and mended; another profile; another release."""
    documents = {"bread.md": BREAD, "whales.md": "Whales sing.", "gone.md": "It goes."}
    batches = {"first": history.embed(documents)}
    first = history.now()
    documents = {"bread.md": HOTTER, "whales.md": "Whales sing.", "toast.md": BREAD}
    batches["edit"] = history.embed(documents)
    edited = history.now()
    batches["bad"] = history.embed(documents | {"wrong.md": WRONG})
    burning = history.now()
    history.roll_back(batches["bad"])
    undone = history.now()
    batches["mended"] = history.embed(documents | {"wrong.md": f"{WRONG}\n\nNo: at 250, since an oven of this house goes no higher."})
    name = history.following.profile.name
    run_batch(history.following.lake, f"{name}-other")
    second = {"release_id": f"{name}-r2", "namespace": f"{name}-r2"}
    Releases(history.following.lake).change(lambda rows: [row | change for row in rows for change in ({"state": "retired"}, second)])
    return Answers(history, first, edited, burning, undone, batches)


@pytest.fixture
def other_default(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The other profile, made the default one."""
    name = f"{answers.history.following.profile.name}-other"
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_PROFILE", name)
    yield name


def test_a_receipt_holds_the_text_as_it_was_byte_for_byte(answers: Answers) -> None:
    version = answers.receipt(BAKING).version
    assert version.document_text == BREAD
    assert (version.content_hash, version.is_text_verified, version.is_passage_in_place) == (content_hash(BREAD), True, True)


def test_a_receipt_says_where_the_passage_stands(answers: Answers) -> None:
    passage = answers.receipt(BAKING).passage
    assert (passage.text, passage.chunk_index, BREAD[passage.start_offset : passage.end_offset]) == (BAKE, 1, BAKE)


def test_a_receipt_names_model_profile_batch_and_run(answers: Answers) -> None:
    receipt, profile = answers.receipt(BAKING), answers.history.following.profile
    assert (receipt.vector.profile, receipt.vector.profile_fingerprint) == (profile.name, profile.fingerprint)
    assert (receipt.vector.model_name, receipt.vector.model_version) == (profile.model_name, profile.model_version)
    assert receipt.vector.chunking_strategy == "structure(max_characters=60)"
    assert (receipt.batch.batch_id, receipt.batch.batch_number) == (answers.batches["first"].batch_id, 1)
    assert (receipt.batch.state, receipt.batch.dag_id, receipt.batch.run_id) == ("published", "embed_documents", "a run")


def test_a_receipt_names_the_snapshot_and_the_times_of_the_version(answers: Answers) -> None:
    receipt = answers.receipt(BAKING)
    assert receipt.version.source_snapshot == answers.batches["first"].row["source_snapshot"]
    # A snapshot's time is cut to milliseconds.
    assert receipt.version.ingested_at - timedelta(milliseconds=1) <= receipt.version.snapshot_at <= receipt.vector.embedded_at
    assert receipt.vector.embedded_at <= receipt.batch.published_at <= answers.first


def test_an_untouched_document_has_not_changed(answers: Answers) -> None:
    receipt = answers.receipt(SINGING)
    assert (receipt.current_content_hash, receipt.is_changed, receipt.is_deleted) == (content_hash("Whales sing."), False, False)
    assert receipt.remarks == ()


def test_an_answer_about_a_document_edited_since_has_the_text_of_then(answers: Answers) -> None:
    receipt = answers.receipt(BAKING, at=answers.first)
    assert (receipt.version.document_text, receipt.version.is_text_verified) == (BREAD, True)
    assert (receipt.is_changed, receipt.current_content_hash) == (True, content_hash(HOTTER))
    assert (receipt.current_version.content_hash, receipt.current_version.has_passage) == (content_hash(BREAD), True)
    assert [(release.state, release.content_hash, release.is_exact) for release in receipt.releases] == [
        ("live", content_hash(BREAD), True)
    ]


def test_a_passage_that_was_edited_away_is_in_no_release_now(answers: Answers) -> None:
    receipt = answers.receipt(BAKING)
    assert (receipt.version.document_text, receipt.releases) == (BREAD, ())
    assert (receipt.current_version.content_hash, receipt.current_version.has_passage) == (content_hash(HOTTER), False)


def test_a_passage_that_an_edit_left_alone_belongs_to_both_versions(answers: Answers) -> None:
    receipt = answers.receipt(KNEADING)
    assert (receipt.version.content_hash, receipt.version.is_passage_in_place) == (content_hash(BREAD), True)
    assert (receipt.current_version.content_hash, receipt.current_version.has_passage) == (content_hash(HOTTER), True)
    assert receipt.releases[0].content_hash == content_hash(HOTTER)


def test_an_answer_about_a_document_deleted_since_has_the_text_of_then(answers: Answers) -> None:
    receipt = answers.receipt(LEAVING, at=answers.first)
    assert (receipt.version.document_text, receipt.version.is_text_verified) == ("It goes.", True)
    assert (receipt.is_deleted, receipt.current_content_hash) == (True, None)
    assert (receipt.current_version.is_deleted, receipt.releases[0].state) == (False, "live")


def test_a_document_deleted_by_the_time_of_the_answer_was_not_behind_it(answers: Answers) -> None:
    receipt = answers.receipt(LEAVING, at=answers.edited)
    assert (receipt.current_version.is_deleted, receipt.releases) == (True, ())


def test_an_answer_given_before_another_model_has_the_vector_of_then(answers: Answers, other_default: str) -> None:
    then = answers.history.following.profile.name
    receipt = answers.receipt(SINGING, at=answers.first)
    assert (receipt.vector.profile, receipt.releases[0].release_id) == (then, f"{then}-r1")
    assert (receipt.version.document_text, receipt.version.is_text_verified) == ("Whales sing.", True)


def test_a_record_of_several_profiles_is_explained_for_the_default_one_or_the_named(answers: Answers, other_default: str) -> None:
    then = answers.history.following.profile.name
    assert [answers.receipt(SINGING, profile=name).vector.profile for name in (None, then)] == [other_default, then]


def test_a_record_that_the_default_profile_lacks_is_explained_for_another(answers: Answers, other_default: str) -> None:
    assert answers.receipt(LEAVING).vector.profile == answers.history.following.profile.name


def test_an_answer_from_a_batch_rolled_back_since_is_explained_and_said_to_be_bad(answers: Answers) -> None:
    receipt, bad = answers.receipt(BURNING, at=answers.burning), answers.batches["bad"]
    assert (receipt.version.document_text, receipt.version.is_text_verified, receipt.releases[0].state) == (WRONG, True, "live")
    assert (receipt.batch.batch_id, receipt.batch.state, receipt.batch.rejected_at > answers.burning) == (bad.batch_id, "rejected", True)
    assert bad.batch_id in receipt.remarks[0]
    assert "wrong text" in receipt.remarks[0]


def test_a_record_of_a_batch_rolled_back_by_then_was_in_no_release(answers: Answers) -> None:
    receipt = answers.receipt(BURNING, at=answers.undone)
    assert (receipt.batch.batch_id, receipt.releases) == (answers.batches["bad"].batch_id, ())
    assert receipt.current_version.is_deleted


def test_a_record_embedded_again_after_its_batch_was_rejected_has_the_good_row(answers: Answers) -> None:
    receipt = answers.receipt(BURNING)
    assert (receipt.batch.batch_id, receipt.batch.state) == (answers.batches["mended"].batch_id, "published")
    assert receipt.releases[0].content_hash == receipt.version.content_hash


def test_a_copied_vector_names_the_batch_that_made_it(answers: Answers) -> None:
    receipt = answers.receipt(TOASTING)
    assert (receipt.batch.batch_id, receipt.vector.copied_from_batch) == tuple(answers.batches[name].batch_id for name in ("edit", "first"))


def test_the_releases_are_those_of_the_moment(answers: Answers) -> None:
    name = answers.history.following.profile.name
    then, now = answers.receipt(SINGING, at=answers.first), answers.receipt(SINGING)
    assert [(release.release_id, release.state) for release in then.releases] == [(f"{name}-r1", "live")]
    assert [(release.release_id, release.state) for release in now.releases] == [(f"{name}-r2", "live"), (f"{name}-r1", "retired")]


def test_ids_without_a_record_are_named_and_the_others_answered(answers: Answers) -> None:
    never = chunk_id("bread.md", "Never written.")
    explained = explain([never, BAKING, "a foreign record", BAKING], lake=answers.history.following.lake)
    assert [receipt.record_id for receipt in explained.receipts] == [BAKING]
    assert set(explained.unknown) == {never, "a foreign record"}


def test_a_record_whose_document_is_known_has_the_same_receipt(answers: Answers) -> None:
    documents = {record_id: answers.receipt(record_id).doc_id for record_id in RECORDS}
    wrongly = dict.fromkeys(RECORDS, "whales.md")
    lake = answers.history.following.lake
    for at in (None, answers.first, answers.burning, answers.undone):
        expected = explain(RECORDS, at=at, lake=lake)
        for known in (documents, {BURNING: "wrong.md"}, wrongly, dict.fromkeys(RECORDS, "never.md")):
            assert explain(RECORDS, at=at, lake=lake, documents=known) == expected


def test_a_record_published_after_the_answer_is_unknown_then(answers: Answers) -> None:
    assert "after" in explain([BURNING], at=answers.first, lake=answers.history.following.lake).unknown[BURNING]


def test_a_time_in_another_zone_is_the_same_moment(answers: Answers) -> None:
    elsewhere = answers.first.astimezone(timezone(timedelta(hours=5, minutes=30)))
    explained = explain([BAKING], at=elsewhere, lake=answers.history.following.lake)
    assert explained.receipts == [answers.receipt(BAKING, at=answers.first)]


def test_more_ids_than_a_statement_takes_are_explained_at_once(answers: Answers) -> None:
    following = answers.history.following
    documents = {f"{number:04}{'ü' * 1_996}": ["A text."] for number in range(600)}
    LakeBuilder(following.lake, following.profile, part_rows=600, batch_number=100).publish(documents)
    ids = [chunk_id(doc_id, "A text.") for doc_id in documents]
    assert [receipt.doc_id for receipt in explain(ids, lake=following.lake).receipts] == list(documents)


@pytest.mark.parametrize(
    ("ids", "at"),
    [([], None), ([str(number) for number in range(1_001)], None), (["a"], datetime(2026, 11, 20))],
    ids=["none", "many", "at"],
)
def test_a_question_that_cannot_be_answered_is_refused(ids: list[str], at: datetime | None) -> None:
    with pytest.raises(InputError):
        explain(ids, at=at)
