"""How rows of CSV and JSON Lines become documents."""

import io
import json

import pytest

from embedding_lakehouse.core.documents import Document, Rejected, Rejection
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.listing import CSV, JSON_LINES
from embedding_lakehouse.core.rows import Outcome, documents_of_rows


def read(content: str | bytes, media_type: str = CSV, **settings) -> list[Outcome]:
    raw = content.encode() if isinstance(content, str) else content
    return list(documents_of_rows(io.BytesIO(raw), "rows", media_type, IngestSettings("folder", **settings)))


def read_json(*rows: object, **settings) -> list[Outcome]:
    return read("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), JSON_LINES, **settings)


def ids(outcomes: list[Outcome]) -> list[str]:
    return [outcome.doc_id for outcome in outcomes]


def codes(outcomes: list[Outcome]) -> list[str | None]:
    return [outcome.code if isinstance(outcome, Rejection) else None for outcome in outcomes]


def test_each_csv_row_is_a_document() -> None:
    first, second = read("id,title,text,price\n1,One,hello,3\n2,,world,4\n")
    assert first == Document("1", "hello", "One", CSV, '{"price": "3"}', 2)
    assert second == Document("2", "world", None, CSV, '{"price": "4"}', 3)


def test_each_json_line_is_a_document() -> None:
    (document,) = read_json({"_id": 7, "body": "hello", "title": "T", "tags": ["a", "é"]})
    assert document == Document("7", "hello", "T", JSON_LINES, '{"tags": ["a", "é"]}', 1)


@pytest.mark.parametrize("doc_id", ["a#b", "x/y", "it's", 'say "hi"', "\U0001f600", " spaced ", "007"])
def test_an_id_is_kept_as_given(doc_id: str) -> None:
    quoted = doc_id.replace('"', '""')
    assert ids(read(f'id,text\n"{quoted}",hello\n')) == [doc_id]
    assert ids(read_json({"id": doc_id, "text": "hello"})) == [doc_id]


def test_a_large_number_is_an_id_digit_by_digit() -> None:
    assert ids(read_json('{"id": 123456789012345678901234567890, "text": "hello"}')) == ["123456789012345678901234567890"]


def test_a_row_without_an_id_is_named_by_its_line() -> None:
    assert ids(read('text\n"a\nb"\nc\n')) == ["rows#2", "rows#4"]
    assert ids(read_json({"text": "a"}, "", {"id": None, "text": "b"}, {"id": "", "text": "c"})) == ["rows#1", "rows#3", "rows#4"]


def test_a_prefix_stands_before_every_id() -> None:
    assert ids(read("id,text\n1,a\n,b\n", id_prefix="crm:")) == ["crm:1", "crm:rows#3"]


def test_columns_can_be_named() -> None:
    (document,) = read("key,id,name,words\nk,1,N,hello\n", id_column="key", text_column="words", title_column="name")
    assert (document.doc_id, document.text, document.title, document.metadata) == ("k", "hello", "N", '{"id": "1"}')


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_shows_a_text_column(delimiter: str) -> None:
    assert ids(read(f"id{delimiter}text\r\n1{delimiter}hello\r\n")) == ["1"]


def test_a_row_may_say_its_own_media_type() -> None:
    (document,) = read_json({"id": 1, "text": "# hello", "media_type": "text/markdown"})
    assert (document.media_type, document.metadata) == ("text/markdown", "{}")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_csv_with_a_byte_order_mark_is_read(encoding: str) -> None:
    (document,) = read("id;text\n1;prüfen\n".encode(encoding))
    assert (document.doc_id, document.text) == ("1", "prüfen")


def test_a_file_without_a_text_column_is_rejected_with_the_columns_found() -> None:
    with pytest.raises(Rejected, match="found 'id', 'notes'") as caught:
        read("id,notes\n1,a\n")
    assert caught.value.code == "no_text_column"
    with pytest.raises(Rejected, match="found 'id', 'notes'"):
        read_json({"id": 1, "notes": "a"})


def test_a_later_json_row_without_text_rejects_only_itself() -> None:
    assert codes(read_json({"id": 1, "text": "a"}, {"id": 2}, {"id": 3, "text": "c"})) == [None, "no_text_column", None]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("not json", "broken_json"),
        ("[1, 2]", "broken_json"),
        ('{"id": 2, "text": NaN}', "broken_json"),
        ('{"id": 2, "text": "a", "deep": ' + "[" * 100_000 + "]" * 100_000 + "}", "broken_json"),
        ('{"id": 2, "text": "\\ud800"}', "broken_encoding"),
        ('{"id": 2, "text": "a", "note": "\\udfff"}', "broken_encoding"),
        ('{"id": "\\ud800", "text": "a"}', "bad_id"),
        ('{"id": 2, "text": "a\\u0000b"}', "not_text"),
        ('{"id": 2, "text": "a", "note": "\\u0000"}', "not_text"),
        ('{"id": 2, "text": 5}', "not_text"),
        ('{"id": 2, "text": " "}', "empty"),
        ('{"id": 2, "text": null}', "empty"),
        ('{"id": [2], "text": "a"}', "bad_id"),
        ('{"id": true, "text": "a"}', "bad_id"),
    ],
)
def test_a_bad_json_row_rejects_only_itself(line: str, code: str) -> None:
    assert codes(read_json({"id": 1, "text": "a"}, line, {"id": 3, "text": "c"})) == [None, code, None]


def test_a_json_row_that_is_not_utf8_rejects_only_itself() -> None:
    outcomes = read(b'{"id":1,"text":"a"}\n{"id":2,"text":"\xff"}\n{"id":3,"text":"c"}\n', JSON_LINES)
    assert codes(outcomes) == [None, "broken_encoding", None]
    assert "byte 16" in outcomes[1].reason


def test_a_csv_row_that_is_not_utf8_rejects_only_itself() -> None:
    outcomes = read(b"id,text\n1,a\n2,\xff\n3,c\n")
    assert codes(outcomes) == [None, "broken_encoding", None]
    assert outcomes[1].reason == "line 3: 'text' has bytes that are not UTF-8: save the file as UTF-8"


@pytest.mark.parametrize(("row", "code"), [("2", "broken_csv"), ("2,b,extra", "broken_csv"), ("2,", "empty"), ("2,a\0b", "not_text")])
def test_a_bad_csv_row_rejects_only_itself(row: str, code: str) -> None:
    assert codes(read(f"id,text\n1,a\n{row}\n3,c\n")) == [None, code, None]


def test_an_unclosed_quote_rejects_the_file_and_names_the_line() -> None:
    with pytest.raises(Rejected, match="the row that begins at line 3 is not CSV") as caught:
        read('id,text\n1,a\n2,"b\n3,c\n')
    assert caught.value.code == "broken_csv"


def test_a_column_named_twice_rejects_the_file() -> None:
    with pytest.raises(Rejected, match="names 'text' more than once"):
        read("id,text,text\n1,a,b\n")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_csv_file_without_a_row_is_empty(content: str) -> None:
    with pytest.raises(Rejected, match="no row"):
        read(content)


def test_a_row_above_the_limit_rejects_only_itself() -> None:
    rows = [{"id": 1, "text": "a"}, {"id": 2, "text": "b" * 20_000}, {"id": 3, "text": "c" * 3_000_000}, {"id": 4, "text": "d"}]
    assert codes(read_json(*rows, max_document_megabytes=0.01)) == [None, "too_large", "too_large", None]


@pytest.mark.parametrize("depth", [200, 400, 800, 980, 1_000, 100_000])
def test_a_deep_row_is_read_or_rejected(depth: int) -> None:
    (outcome,) = read_json('{"id": "1", "text": "a", "x": ' + "[" * depth + "]" * depth + "}")
    assert isinstance(outcome, Document) or outcome.code == "broken_json"


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5_000])
def test_a_number_that_no_field_can_hold_is_rejected(number: str) -> None:
    assert codes(read_json('{"id": "1", "text": "a", "x": ' + number + "}", {"id": "2", "text": "b"})) == ["broken_json", None]


@pytest.mark.parametrize("own", ["\ud800", "a\0b", "x" * 10_000, "<b>", "text/html; charset=x", "text", 7, ["text/html"]])
def test_a_row_that_names_no_media_type_has_its_file_s(own: object) -> None:
    (document,) = read_json({"id": "1", "text": "a", "media_type": own})
    assert document.media_type == JSON_LINES
