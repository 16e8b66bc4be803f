"""Values as SQL literals, for an engine that takes no binds: typed as Trino's client types a bind, and no text can end its quotes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from unicodedata import category
from uuid import UUID

from embedding_lakehouse.errors import InputError

INTEGERS = range(-(2**31), 2**31)
BIGINTS = range(-(2**63), 2**63)
NOT_NUMBERS = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


def with_literals(text: str, values: Sequence[Any]) -> str:
    """The statement with each `?` replaced by its value. Raises ValueError for another number of values than places."""
    parts = text.split("?")
    return "".join(part + place for part, place in zip(parts, [*map(literal, values), ""], strict=True))


def literal(value: Any) -> str:
    """The value as a literal of Trino's and Athena's SQL: times with a zone in UTC, lists as arrays, dictionaries as maps.

    Raises InputError for a value that no literal can stand for.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return _whole(value)
        case float():
            return f"double '{NOT_NUMBERS.get(repr(float(value)), repr(float(value)))}'"
        case Decimal() if value.is_finite():
            return f"decimal '{value:f}'"
        case str():
            # Of an enumeration's member the text, not the name.
            return _text(str.__str__(value))
        case bytes() | bytearray() | memoryview():
            return f"X'{bytes(value).hex()}'"
        case UUID():
            return f"uuid '{value}'"
        case list():
            return f"array[{_joined(value)}]"
        case dict():
            return f"map(array[{_joined(value.keys())}], array[{_joined(value.values())}])"
    return _moment(value)


def _joined(values: Any) -> str:
    return ", ".join(map(literal, values))


def _whole(value: int) -> str:
    """A minus sign of its own could make a comment of one before it, so a negative number is in quotes."""
    if value in INTEGERS:
        return str(int(value)) if value >= 0 else f"integer '{int(value)}'"
    return f"bigint '{int(value)}'" if value in BIGINTS else f"decimal '{int(value)}'"


def _text(value: str) -> str:
    """In quotes; with what does not print as escapes, so that nothing on the way can take it for the end of a line or of the statement."""
    quoted = value.replace("'", "''")
    if not any(map(_is_escaped, value)):
        return f"'{quoted}'"
    return "U&'" + "".join(_escape(character) for character in quoted) + "'"


def _is_escaped(character: str) -> bool:
    return category(character)[0] == "C" or category(character) in ("Zl", "Zp")


def _escape(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if not _is_escaped(character):
        return character
    if category(character) == "Cs":
        raise InputError(f"a text with half of a surrogate pair (U+{ord(character):04X}) is not Unicode and cannot be part of a statement")
    return f"\\{ord(character):04X}" if ord(character) < 0x10000 else f"\\+{ord(character):06X}"


def _moment(value: Any) -> str:
    match value:
        case datetime() if value.tzinfo is None:
            return f"timestamp '{value.isoformat(' ', 'microseconds')}'"
        case datetime():
            return f"timestamp '{value.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'microseconds')} UTC'"
        case date():
            return f"date '{value.isoformat()}'"
        case time() if value.tzinfo is None:
            return f"time '{value.isoformat('microseconds')}'"
    raise InputError(f"a value of the type {type(value).__name__} ({value!r:.100}) has no SQL literal")
