"""Which row of a record answers, and what a receipt says of its version's text."""

from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.core.hashing import chunk_id, content_hash
from embedding_lakehouse.core.receipts import version_of
from embedding_lakehouse.core.record_rows import EmbeddingRow, SourceText, chosen_row, rejected_at, unknown_because


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


def row(batch: int, **changes: Any) -> EmbeddingRow:
    """A row of one record, from a batch published on a day of that number."""
    values = dict.fromkeys(EmbeddingRow._fields) | {
        "chunk_id": chunk_id("a", "Two."),
        "doc_id": "a",
        "profile": "mine",
        "chunk_text": "Two.",
        "start_offset": 5,
        "content_hash": content_hash("One. Two."),
        "source_snapshot": 7,
        "batch_id": f"batch-{batch}",
        "state": "published",
        "published_at": day(batch),
    }
    return EmbeddingRow(**values | changes)


def rejected(batch: int, on: int) -> EmbeddingRow:
    return row(batch, state="rejected", updated_at=day(on))


def chosen(rows: list[EmbeddingRow], profile: str | None = None, at: datetime | None = None) -> str | None:
    found = chosen_row(rows, profile, "mine", at)
    return found.batch_id if found else None


def test_the_newest_row_that_was_not_rejected_answers() -> None:
    assert chosen([row(1), row(2), rejected(3, on=4)]) == "batch-2"


def test_a_record_with_rejected_rows_alone_is_still_answered() -> None:
    assert chosen([rejected(1, on=3), rejected(2, on=3)]) == "batch-2"


def test_a_row_rejected_after_the_answer_was_behind_it() -> None:
    assert chosen([row(1), rejected(2, on=5)], at=day(4)) == "batch-2"
    assert chosen([row(1), rejected(2, on=5)], at=day(6)) == "batch-1"


def test_a_row_published_after_the_answer_was_not_behind_it() -> None:
    assert chosen([row(1), row(3)], at=day(2)) == "batch-1"
    assert chosen([row(3)], at=day(2)) is None


def test_the_default_profile_goes_before_a_newer_row_of_another() -> None:
    assert chosen([row(1), row(2, profile="other")]) == "batch-1"
    assert chosen([row(2, profile="other")]) == "batch-2"


def test_a_named_profile_is_never_replaced_by_another() -> None:
    assert chosen([row(1)], profile="other") is None


def test_a_copy_is_rejected_with_the_batch_that_made_its_vector() -> None:
    copy = row(2, copied_from_batch="batch-1", maker_state="rejected", maker_updated_at=day(3))
    assert rejected_at(copy) == day(3)
    assert chosen([copy, row(1)]) == "batch-1"


def test_a_batch_that_was_put_back_is_not_rejected() -> None:
    assert rejected_at(row(1, state="published", updated_at=day(9))) is None


def test_an_unknown_id_is_told_why() -> None:
    assert "never published" in unknown_because([], None, None)
    assert "only under mine" in unknown_because([row(1)], "other", None)
    assert "2026-11-03" in unknown_because([row(3)], None, day(2))


def test_a_text_that_is_not_what_its_hash_says_is_noticed() -> None:
    source = SourceText("a", content_hash("One. Two."), "A", None, None, "One. Two")
    version = version_of(row(1), source, day(1), None)
    assert (version.is_text_verified, version.is_passage_in_place) == (False, False)


def test_a_snapshot_without_the_version_is_said_to_lack_it() -> None:
    version = version_of(row(1), None, day(1), None)
    assert (version.document_text, version.is_text_verified) == (None, None)
    assert "holds no version" in version.problem
