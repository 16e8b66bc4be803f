"""A value is the same to Trino as a literal and as a bind: text, type and all, whatever is in it."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from sqlglot import parse_one

from dev.stack import Stack
from embedding_lakehouse.clients.lake import connect
from embedding_lakehouse.core.athena_dialect import FUNCTIONS, in_athena, view_body, view_without_zones
from embedding_lakehouse.core.literals import literal, with_literals
from embedding_lakehouse.errors import InputError


class Kind(StrEnum):
    """A text by another name."""

    DRIFT = "dr'ift"


TEXTS = {
    "plain": "alpha",
    "empty": "",
    "a quote": "it's",
    "quotes": "'; drop table t --",
    "doubled quotes": "''''",
    "double quotes": 'a "b" c',
    "a question mark": "is it? 'is it?'",
    "backslashes": "\\ \\' \\0041 \\\\",
    "line ends": "a\r\nb\nc\td",
    "NUL": "a\x00b",
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f\x85",
    "line separators": "a\u2028b\u2029c",
    "directions and joiners": "a\u202eb\u200bc\ufeffd",
    "a backslash beside a control character": "\\000\x01\\'",
    "letters": "äß 你好 Привет عربى",
    "above the first plane": "😀 \U0001f9d1\u200d\U0001f680 \U000e0041",
    "comments": "/* -- */ -- x",
    "braces": "{{ profile }} {0} %s %(a)s",
    "a prefix": "U&'\\0041'",
    "a member": Kind.DRIFT,
}
VALUES = {
    **TEXTS,
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "a negative number": -5,
    "the greatest integer": 2**31 - 1,
    "the least integer": -(2**31),
    "more than an integer": 2**31,
    "the greatest bigint": 2**63 - 1,
    "the least bigint but one": -(2**63) + 1,
    "a fraction": 0.1,
    "a tiny fraction": 5e-324,
    "minus infinity": float("-inf"),
    "infinity": float("inf"),
    "a decimal": Decimal("-12.3400"),
    "bytes": b"\x00'\xff",
    "a day": date(2026, 1, 31),
    "a time of day": time(1, 2, 3, 4),
    "a time": datetime(2026, 1, 31, 12, 0, 0, 123456),
    "a time in UTC": datetime(2026, 1, 31, 12, 0, 0, 1, UTC),
    "a UUID": UUID(int=7),
    "a list of texts": ["it's", "\n", "?"],
    "a list of numbers": [1, -2],
    "a map": {"it's": "a\x00b"},
}
# Numbers that take a place before and behind a sign.
Answer = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def answer(trino_stack: Stack) -> Answer:
    """The one row that Trino answers."""
    engine = connect().sql

    def row(text: str, *binds: Any) -> list[Any]:
        with closing(engine.connect()) as connection, closing(connection.cursor()) as cursor:
            return list(cursor.execute(text, list(binds) or None).fetchone())

    return row


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_literal_is_what_a_bind_is(answer: Answer, value: Any) -> None:
    text = "select ? as value, typeof(?) as kind"
    assert answer(with_literals(text, [value, value])) == answer(text, value, value)


def test_no_text_gets_out_of_its_quotes(answer: Answer) -> None:
    texts = [str(text) for text in TEXTS.values()]
    text = f"select {', '.join('?' * len(texts))}"
    assert answer(with_literals(text, texts)) == texts
    assert len(parse_one(with_literals(text, [text.replace("\\", "") for text in texts]), dialect="athena").selects) == len(texts)


def test_the_least_bigint_can_be_said(answer: Answer) -> None:
    assert answer(f"select {literal(-(2**63))}") == [-(2**63)]


def test_a_time_of_another_zone_is_the_same_moment_in_utc(answer: Answer) -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=5.5)))
    assert answer(f"select {literal(moment)}") == [moment]


def test_a_negative_number_behind_a_minus_is_no_comment(answer: Answer) -> None:
    assert answer(with_literals("select 1 -?, 1 -?", [-5, -(2**40)])) == [6, 1 + 2**40]


@pytest.mark.parametrize("value", ["half \ud83d of a pair", Decimal("NaN"), object(), {1, 2}, 1j], ids=repr)
def test_what_no_literal_can_stand_for_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"surrogate|has no SQL literal"):
        literal(value)


def test_values_must_be_as_many_as_places() -> None:
    with pytest.raises(ValueError, match="zip"):
        with_literals("select ?, ?", [1])


def test_functions_written_out_for_athena_answer_what_trino_s_own_answer(answer: Answer) -> None:
    one, other = "array[0.25e0, -1.5e0, 3e0, 0.125e0]", "array[2e0, 0.5e0, -0.75e0, 4e0]"
    calls = [f"{name}({'7' if name == 'any_value' else f'{one}, cast({other} as array(double))'})" for name in FUNCTIONS]
    text = f"select {', '.join(calls)} from (values 1) as t (x)"
    written = in_athena(text.replace("any_value(7)", "any_value(x * 7)"))
    assert not any(f"{name}(" in written for name in FUNCTIONS)
    assert answer(written) == pytest.approx(answer(text.replace("any_value(7)", "any_value(x * 7)")), rel=1e-15)


def test_calls_in_calls_are_written_out_and_those_in_quotes_are_not(answer: Answer) -> None:
    text = "select dot_product(array[1e0], array[dot_product(array[2e0], array[3e0])]), 'any_value(\"', 'it''s dot_product('"
    assert answer(in_athena(text)) == answer(text) == [6.0, 'any_value("', "it's dot_product("]


def test_a_statement_without_such_calls_stays_as_it_is() -> None:
    assert in_athena("select sum(x), max(y) from t where a in (?)") == "select sum(x), max(y) from t where a in (?)"


def test_only_a_view_with_zones_is_written_anew() -> None:
    view = "create or replace view s.v as\n\nselect a, b\nfrom t"
    assert view_body(view) == "select a, b\nfrom t"
    assert view_body("insert into t select 1") is None
    assert view_without_zones(view, [("a", "varchar"), ("b", "timestamp")]) == view
    anew = view_without_zones(view, [("a", "varchar"), ("b", "timestamp with time zone")])
    assert [column.alias_or_name for column in parse_one(view_body(anew) or "", dialect="athena").selects] == ["a", "b"]
