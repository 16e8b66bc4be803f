"""What a file or row becomes: a document with normalised text, or a rejection that says what is wrong and what to do."""

import codecs
import re
import sys
from dataclasses import dataclass
from functools import cache
from unicodedata import combining, normalize

from embedding_lakehouse.core.texts import has_controls, is_writable
from embedding_lakehouse.errors import InputError, quoted

LONGEST_TITLE = 500
LONGEST_ID = 2_000
TITLE_LINES = 60
# A heading is shown as a title; longer lines are none.
LONGEST_HEADING = 2_000
# Unicode's stream-safe text has at most 30.
MOST_MARKS = 200
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
HEADING = re.compile(r"#{1,6}[ \t]+(.+?)[ \t]*#*")
UNDERLINE = re.compile(r"([=\-~^\"'*+#`:.])\1{2,}[ \t]*")


class Rejected(InputError):
    """The document cannot be used; `code` says why in one word, the message what is wrong and what to do."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is ingested; `line` is its first line in the file, 0 where the file is the document."""

    doc_id: str
    text: str
    title: str | None
    media_type: str
    metadata: str = "{}"
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rejection:
    """A document that cannot be used, where it stands and why; `line` 0 means that the whole file is rejected."""

    doc_id: str
    code: str
    reason: str
    line: int = 0


def decode(content: bytes) -> str:
    """The text of a file: UTF-8, or what its byte order mark says.

    Raises Rejected: `not_text` for null bytes, `broken_encoding` with the offset of the first byte that cannot be decoded.
    """
    encoding = encoding_of(content)
    if encoding == "utf-8" and (null := content.find(b"\0")) >= 0:
        raise Rejected("not_text", f"byte {null:,} is a null byte: this is not text. Remove the file or give it the ending of its format")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Rejected(
            "broken_encoding",
            f"byte {error.start:,} (0x{content[error.start]:02x}) is not {encoding.upper()}: save the file as UTF-8",
        ) from error


def encoding_of(start: bytes) -> str:
    """The encoding that a byte order mark at the start of a file declares, else UTF-8."""
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS if start.startswith(mark)), "utf-8")


def normalise(text: str, most_bytes: int) -> str:
    """The text in Unicode NFC with `\\n` for every newline and without a byte order mark; nothing else changes.

    Raises Rejected: `not_text` for a null character and for piled-up combining marks, `broken_encoding` for half a surrogate pair,
    `empty` where no character can be seen, `too_large` above `most_bytes` of UTF-8.
    """
    if (null := text.find("\0")) >= 0:
        raise Rejected("not_text", f"character {null:,} is a null character: this is not text")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii() and (piled := _piled_marks().search(text)):
        raise Rejected("not_text", f"character {piled.start():,} is followed by more than {MOST_MARKS} combining marks: this is not text")
    text = normalize("NFC", text)
    size = len(encode(text))
    if not any(character.isprintable() for character in text.strip()):
        raise Rejected("empty", "there is no visible text in it: fill it, or remove it")
    check_size(size, most_bytes, "its text")
    return text


@cache
def _piled_marks() -> re.Pattern[str]:
    """More combining marks in a row than any language writes: Unicode's normal forms take time that grows with their square."""
    marks = "".join(chr(point) for point in range(0x300, sys.maxunicode + 1) if combining(chr(point)))
    return re.compile(f"[{marks}]{{{MOST_MARKS + 1},}}")


def encode(text: str) -> bytes:
    """The text in UTF-8. Raises Rejected (`broken_encoding`) for half a surrogate pair, which an escape in JSON can hold."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Rejected("broken_encoding", f"character {error.start:,} is half a surrogate pair: write the character itself") from error


def check_size(size: int, most_bytes: int, what: str) -> None:
    """Raise Rejected (`too_large`) above the limit."""
    if size > most_bytes:
        raise Rejected(
            "too_large",
            f"{what} has {size / 1_000_000:,.1f} MB, the limit is {most_bytes / 1_000_000:,.1f} MB: "
            "split it, or raise max_document_megabytes",
        )


def check_id(doc_id: str) -> str:
    """The id as given. Raises Rejected (`bad_id`) where it has control characters, half a surrogate pair, or is too long."""
    if len(doc_id) > LONGEST_ID:
        raise Rejected("bad_id", f"the id has {len(doc_id):,} characters, the limit is {LONGEST_ID:,}: shorten it")
    if has_controls(doc_id) or not is_writable(doc_id):
        raise Rejected("bad_id", f"the id {quoted(doc_id)} has a control character or cannot be written in UTF-8: rename it")
    return doc_id


def first_heading(text: str) -> str | None:
    """The first heading of a Markdown or reStructuredText document near its beginning, if there is one."""
    lines = text[: TITLE_LINES * 200].split("\n")[:TITLE_LINES]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if len(line) > LONGEST_HEADING:
            continue
        if heading := HEADING.fullmatch(line):
            return shorten(heading[1])
        if (
            line.strip()
            and not UNDERLINE.fullmatch(line)
            and UNDERLINE.fullmatch(following)
            and len(following.strip()) >= len(line.strip())
        ):
            return shorten(line)
    return None


def shorten(title: str | None) -> str | None:
    """A title of at most 500 characters on one line, or none where nothing is left of it."""
    words = " ".join((title or "")[: 8 * LONGEST_TITLE].replace("\0", "").split())
    return normalize("NFC", words)[:LONGEST_TITLE].encode(errors="ignore").decode() or None
