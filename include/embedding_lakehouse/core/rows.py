"""Documents from CSV and JSON Lines: one per row.

A row's id is what its id column says, as given. A row without an id is `<path>#<line>`, so inserting rows above it makes it another
document: give rows ids. An id that several rows use, in one file or in several, belongs to the file that has it already, otherwise to
the first by path and line; the others are rejected, and take their turn when the id is given up.

The text column is the document, the title column its title, `media_type` its media type where given; every other field becomes its
metadata.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from embedding_lakehouse.core.documents import Document, Rejected, Rejection, check_id, check_size, encode, encoding_of, normalise, shorten
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.listing import CSV

DELIMITERS = (",", ";", "\t", "|")
LONGEST_HEADER = 1_000_000
# A row that calls itself anything else is of its file's media type.
MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,120}", re.ASCII)
Outcome = Document | Rejection
Fields = dict[str, Any]


def documents_of_rows(file: BinaryIO, path: str, media_type: str, settings: IngestSettings) -> Iterator[Outcome]:
    """The documents and rejections of the file's rows, in order and in bounded memory.

    Raises Rejected where the file as a whole cannot be read; what it yielded before must not be used then.
    """
    rows = _csv_rows(file, settings) if media_type == CSV else _json_rows(file, settings)
    found_text_column = False
    for line, row in rows:
        place = f"{settings.id_prefix}{path}#{line}"
        if isinstance(row, Rejected):
            yield Rejection(place, row.code, f"line {line:,}: {row}", line)
            continue
        if not found_text_column and _column(row, settings.text_columns) is None:
            raise Rejected("no_text_column", _no_text_column(row, settings))
        found_text_column = True
        yield _outcome(row, line, place, media_type, settings)


def _outcome(row: Fields, line: int, place: str, media_type: str, settings: IngestSettings) -> Outcome:
    doc_id = place
    try:
        doc_id = _doc_id(row, settings) or place
        return _document(row, doc_id, line, media_type, settings)
    except Rejected as error:
        return Rejection(doc_id, error.code, f"line {line:,}: {error}", line)


def _doc_id(row: Fields, settings: IngestSettings) -> str | None:
    column = _column(row, settings.id_columns)
    value = row[column] if column is not None else None
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Rejected("bad_id", f"the id in {column!r} is {_kind(value)}: write a string or a number")
    return check_id(f"{settings.id_prefix}{value}")


def _document(row: Fields, doc_id: str, line: int, media_type: str, settings: IngestSettings) -> Document:
    text_column = _column(row, settings.text_columns)
    if text_column is None:
        raise Rejected("no_text_column", _no_text_column(row, settings))
    text = row[text_column] if row[text_column] is not None else ""
    if not isinstance(text, str):
        raise Rejected("not_text", f"{text_column!r} is {_kind(text)}: write a string")
    title_column = _column(row, settings.title_columns)
    title = row[title_column] if title_column is not None else None
    own_type = row.get("media_type")
    taken = {_column(row, settings.id_columns), text_column, title_column, "media_type"}
    metadata = _metadata({name: value for name, value in row.items() if name not in taken})
    if "\\u0000" in metadata:
        raise Rejected("not_text", "a field holds a null character: remove it")
    check_size(len(encode(metadata)), settings.max_document_bytes, "its metadata")
    return Document(
        doc_id,
        normalise(text, settings.max_document_bytes),
        shorten(title) if isinstance(title, str) else None,
        own_type if isinstance(own_type, str) and MEDIA_TYPE.fullmatch(own_type) else media_type,
        metadata,
        line,
    )


def _metadata(row: Fields) -> str:
    try:
        return json.dumps(row, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise Rejected("broken_json", "a field is nested too deep, or holds a number that JSON cannot write: simplify it") from error


def _column(row: Fields, names: Iterable[str]) -> str | None:
    return next((name for name in names if name in row), None)


def _no_text_column(row: Fields, settings: IngestSettings) -> str:
    found = ", ".join(repr(name)[:60] for name in list(row)[:30]) or "none"
    return f"no text column: looked for {', '.join(settings.text_columns)}; found {found}. Rename one, or set the Param text_column"


def _kind(value: Any) -> str:
    return {bool: "true or false", dict: "an object", list: "a list", type(None): "null"}.get(type(value), "a number")


def _json_rows(file: BinaryIO, settings: IngestSettings) -> Iterator[tuple[int, Fields | Rejected]]:
    most_bytes = 4 * settings.max_document_bytes + LONGEST_HEADER
    for line, content in enumerate(_lines(file, most_bytes), start=1):
        if isinstance(content, Rejected):
            yield line, content
        elif stripped := content.removeprefix(b"\xef\xbb\xbf").strip():
            yield line, _json_row(stripped)


def _lines(file: BinaryIO, most_bytes: int) -> Iterator[bytes | Rejected]:
    """The file's lines; one that is too long to be a document is passed over, never held."""
    while content := file.readline(most_bytes):
        if len(content) < most_bytes or content.endswith(b"\n"):
            yield content
            continue
        size = len(content)
        while (rest := file.readline(most_bytes)) and not rest.endswith(b"\n"):
            size += len(rest)
        yield Rejected("too_large", f"the line has over {size / 1_000_000:,.1f} MB: split it, or raise max_document_megabytes")


def _json_row(content: bytes) -> Fields | Rejected:
    try:
        row = json.loads(content.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return Rejected(
            "broken_encoding", f"byte {error.start:,} of the line (0x{content[error.start]:02x}) is not UTF-8: save it as UTF-8"
        )
    except (ValueError, RecursionError) as error:
        return Rejected("broken_json", f"not a JSON value ({error}): write one JSON object a line")
    return row if isinstance(row, dict) else Rejected("broken_json", f"{_kind(row)}, not an object: write one JSON object a line")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _csv_rows(file: BinaryIO, settings: IngestSettings) -> Iterator[tuple[int, Fields | Rejected]]:
    csv.field_size_limit(4 * settings.max_document_bytes + LONGEST_HEADER)
    start = file.readline(LONGEST_HEADER)
    # Bytes that are not UTF-8 travel as half surrogate pairs, so that they reject their row and not the file.
    encoding = {"utf-8-sig": "utf-8"}.get(encoding_of(start), encoding_of(start))
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape" if encoding == "utf-8" else "strict", newline="")
    try:
        yield from _parsed_csv(text, _delimiter(start.decode(encoding, errors="replace"), settings))
    except UnicodeDecodeError as error:
        raise Rejected("broken_encoding", f"not {encoding.upper()} ({error.reason}): save the file as UTF-8") from error


def _parsed_csv(text: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, Fields | Rejected]]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for values in reader:
            if header is None and values:
                header = _header(values)
            elif header is not None and values:
                yield line, _csv_row(header, values)
            line = reader.line_num + 1
    except csv.Error as error:
        raise Rejected("broken_csv", f"the row that begins at line {line:,} is not CSV ({error}): mend its quotes") from error
    if header is None:
        raise Rejected("empty", "there is no row in it: fill it, or remove it")


def _header(values: list[str]) -> list[str]:
    header = [value.removeprefix("\ufeff").strip() for value in values]
    if doubled := sorted({name for name in header if header.count(name) > 1}):
        raise Rejected("broken_csv", f"the header names {', '.join(map(repr, doubled))} more than once: rename the columns")
    return header


def _csv_row(header: list[str], values: list[str]) -> Fields | Rejected:
    if len(values) != len(header):
        return Rejected("broken_csv", f"{len(values)} fields where the header names {len(header)}: mend the row")
    broken = next((name for name, value in zip(header, values, strict=True) if not value.isascii() and _is_broken(value)), None)
    if broken is not None:
        return Rejected("broken_encoding", f"{broken!r} has bytes that are not UTF-8: save the file as UTF-8")
    return dict(zip(header, values, strict=True))


def _is_broken(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def _delimiter(header: str, settings: IngestSettings) -> str:
    """The delimiter under which the header names a text column, else a comma."""
    for delimiter in DELIMITERS:
        names = {name.strip().strip('"').removeprefix("\ufeff") for name in header.strip("\r\n\ufffd").split(delimiter)}
        if names & set(settings.text_columns):
            return delimiter
    return DELIMITERS[0]
