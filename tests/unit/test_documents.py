"""How bytes become a document's text."""

import pytest

from embedding_lakehouse.core.documents import Rejected, check_id, decode, first_heading, normalise, shorten

ONE_MEGABYTE = 1_000_000


def code_of(action, *arguments) -> str:
    with pytest.raises(Rejected) as caught:
        action(*arguments)
    return caught.value.code


def test_newlines_become_line_feeds() -> None:
    assert normalise("a\r\nb\rc\nd", ONE_MEGABYTE) == "a\nb\nc\nd"


def test_letters_are_composed() -> None:
    assert normalise("Cafe\u0301", ONE_MEGABYTE) == "Caf\u00e9"


def test_a_byte_order_mark_is_no_text() -> None:
    assert normalise(decode(b"\xef\xbb\xbfabc"), ONE_MEGABYTE) == "abc"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_declares_the_encoding(encoding: str) -> None:
    assert decode("\ufeffpr\u00fcfen".encode(encoding)).removeprefix("\ufeff") == "pr\u00fcfen"


def test_white_space_is_kept() -> None:
    assert normalise("  a  \n\n\n\tb \n ", ONE_MEGABYTE) == "  a  \n\n\n\tb \n "


def test_a_null_byte_is_not_text() -> None:
    assert code_of(decode, b"abc\0def") == "not_text"


def test_a_byte_that_is_not_utf8_is_named_with_its_offset() -> None:
    with pytest.raises(Rejected, match=r"byte 3 \(0xff\) is not UTF-8") as caught:
        decode(b"abc\xffdef")
    assert caught.value.code == "broken_encoding"


def test_a_truncated_utf16_file_is_rejected() -> None:
    assert code_of(decode, b"\xff\xfea\x00b") == "broken_encoding"


def test_half_a_surrogate_pair_is_rejected() -> None:
    assert code_of(normalise, "a\ud800b", ONE_MEGABYTE) == "broken_encoding"


@pytest.mark.parametrize("text", ["", " \n\t ", "\ufeff", "\u200b\u2060", "\u00a0\u3000"])
def test_a_text_without_a_visible_character_is_empty(text: str) -> None:
    assert code_of(normalise, text, ONE_MEGABYTE) == "empty"


def test_a_million_words_without_a_space_are_a_document() -> None:
    text = "word" * ONE_MEGABYTE
    assert normalise(text, 20 * ONE_MEGABYTE) == text


def test_piled_up_marks_are_not_text() -> None:
    """Their normal form takes time that grows with their square: a day for 20 MB."""
    assert code_of(normalise, "a" + "\u0315\u0300" * 1_000_000, 20 * ONE_MEGABYTE) == "not_text"


def test_a_letter_with_its_marks_is_text() -> None:
    written = "q" + "\u0323" * 50 + "\u0307" * 50
    assert normalise(written, ONE_MEGABYTE) == written


def test_a_heading_of_ten_thousand_signs_is_none() -> None:
    assert first_heading("# a" + "#" * 10_000 + "x\n\n# Title\n") == "Title"


def test_size_is_counted_in_bytes_of_the_text() -> None:
    assert code_of(normalise, "\u00e9" * 600_000, ONE_MEGABYTE) == "too_large"


@pytest.mark.parametrize("doc_id", ["a#b", "a/b", "'a'", '"a"', "\U0001f600", " a ", "a\\b", "\u65e5\u672c"])
def test_an_id_is_kept_as_given(doc_id: str) -> None:
    assert check_id(doc_id) == doc_id


@pytest.mark.parametrize("doc_id", ["a\nb", "a\0b", "\ud800", "a" * 2_001])
def test_an_id_that_cannot_be_stored_is_rejected(doc_id: str) -> None:
    assert code_of(check_id, doc_id) == "bad_id"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Leave policy #\n\ntext", "Leave policy"),
        ("intro\n\n## Second level\n", "Second level"),
        ("Leave policy\n============\n\ntext", "Leave policy"),
        ("============\nLeave policy\n============\n", "Leave policy"),
        ("no heading\n\n- a list\n", None),
        ("#hashtag first\n", None),
        ("", None),
    ],
)
def test_the_first_heading_is_the_title(text: str, title: str | None) -> None:
    assert first_heading(text) == title


def test_a_title_is_one_line_of_at_most_500_characters() -> None:
    assert shorten("a\n  b\0\ud800") == "a b"
    assert shorten("x" * 600) == "x" * 500
    assert shorten(" \n ") is None
