"""Texts that people and files give, as they may go on: into logs, tables, names, and into what somebody reads as Markdown."""

import re

from embedding_lakehouse.errors import InputError, quoted

LONGEST_TEXT = 2_000
# What an Airflow connection may be called. A secrets backend makes a path of it, which must not lead elsewhere.
CONNECTION_ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9_.-]{1,250}")


def is_writable(text: str) -> bool:
    """Whether the text can be written in UTF-8: half a surrogate pair cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def has_controls(text: str) -> bool:
    """Whether the text has a control character, newlines among them."""
    return any(character < " " or "\x7f" <= character <= "\x9f" for character in text)


def one_line(name: str, text: str) -> str:
    """What somebody wrote in the Param of that name, on one line: it goes into logs and tables.

    Raises InputError above 2,000 characters, and for control characters other than white space.
    """
    if len(text) > LONGEST_TEXT:
        raise InputError(f"{name} has {len(text):,} characters, the limit is {LONGEST_TEXT:,}: shorten it")
    line = " ".join(text.split())
    if has_controls(line) or not is_writable(line):
        raise InputError(f"{name} is {quoted(line)}, with a control character or half a surrogate pair: write plain text")
    return line


def code(text: str) -> str:
    """The text as a code span of Markdown, in which no link, image or HTML is anything but text."""
    return f"`{' '.join(text.split()).replace('`', chr(0x2CB))}`"


def visible(text: str) -> str:
    """The text for a terminal: control characters but newline and tab are written out, so that they command nothing."""
    if not has_controls(text):
        return text
    return "".join(each if each in "\n\t" or not has_controls(each) else f"\\x{ord(each):02x}" for each in text)
