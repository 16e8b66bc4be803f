"""Forgetting documents: who may not come back, where a table can hold a document, and what a value must not say of one."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import blake2b, sha256
from itertools import chain
from struct import pack, unpack
from typing import Any

from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.errors import InputError

BEGUN, CERTIFIED, FINISHED = "begun", "certified", "finished"
# The reason code of a document that an ingestion refuses.
FORGOTTEN = "forgotten"
# Rows that name a document or a chunk of it go; a row without a doc_id that names its file goes where the file has no other document.
DOCUMENT_KEYS = ("doc_id",)
CHUNK_KEYS = ("chunk_id", "record_id", "id")
PLACE_KEYS = ("source_uri", "path")
# What people, checks and services said, which may quote a document: the quote goes, the row stays.
SAID = (
    "accepted_reason",
    "detail",
    "message",
    "other_place",
    "problem",
    "reason",
    "sample",
    "subject",
    "summary",
    "verdict",
)
# Part of the row of a document, and gone with it; in the rows of others it is theirs, also where it reads the same.
OWN = (
    "canary_text",
    "chunk_ids",
    "chunk_text",
    "content_hash",
    "document_text",
    "embedding",
    "media_type",
    "metadata",
    "text_hash",
    "title",
)
REPLACEMENT = "(removed: it quoted a document that was forgotten)"
# What is known of a document, as a note has it.
SETS = ("doc_ids", "chunk_ids", "places", "text_hashes")
SHORT_NAME = 4
WINDOW = 24
WORD = re.compile(r"[\w./-]+")
HEX_ID = re.compile(r"\b[0-9a-f]{64}\b")
EMPTY_TEXT = content_hash("")

TombstoneRow = dict[str, Any]


def salted(salt: str, value: str) -> str:
    """SHA-256 hex of `salt || '||' || value`: what a tombstone keeps of an id or a content hash."""
    return sha256(f"{salt}||{value}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Tombstones:
    """The tombstones in force. Every row has the same salt; a lake that never forgot anything has none."""

    salt: str = ""
    by_id: dict[str, TombstoneRow] = field(default_factory=dict)
    by_content: dict[str, TombstoneRow] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, rows: list[TombstoneRow]) -> "Tombstones":
        """Those that were not lifted."""
        held = [row for row in rows if row["lifted_at"] is None]
        by_content = {hashed: row for row in held for hashed in row["content_hashes"] or []}
        return cls(rows[0]["salt"] if rows else "", {row["id_hash"]: row for row in held}, by_content)

    def __bool__(self) -> bool:
        return bool(self.by_id)

    def of(self, doc_id: str, content: str | None = None) -> TombstoneRow | None:
        """The tombstone that refuses a document: by its id, or by the hash of its text."""
        if not self.by_id:
            return None
        return self.by_id.get(salted(self.salt, doc_id)) or (self.by_content.get(salted(self.salt, content)) if content else None)


def refusal(row: TombstoneRow) -> str:
    """What an ingestion says of a document that was forgotten, and what to do."""
    return (
        f"it was forgotten on {row['forgotten_at']:%Y-%m-%d} (erasure {row['erasure_id']}) and is not ingested again: remove it from the "
        "source; where there is a new consent, trigger forget_documents with its id and `lift`"
    )


def new_tombstones(
    rows: list[TombstoneRow], salt: str, documents: dict[str, set[str]], erasure: dict[str, Any], moment: datetime
) -> list[TombstoneRow]:
    """The rows for documents (their content hashes by id) that are not there yet; the lake's salt is the one it has, else `salt`."""
    salt = rows[0]["salt"] if rows else salt
    known = {row["id_hash"] for row in rows if row["lifted_at"] is None}
    made = [
        {
            "id_hash": salted(salt, doc_id),
            "content_hashes": sorted(salted(salt, one) for one in contents if one != EMPTY_TEXT),
            "salt": salt,
            "forgotten_at": moment,
            **dict.fromkeys(("lifted_at", "lifted_by", "lifted_reason")),
            **{name: erasure[name] for name in ("erasure_id", "reason", "requested_by")},
        }
        for doc_id, contents in sorted(documents.items())
    ]
    return [row for row in made if row["id_hash"] not in known]


def lifted(rows: list[TombstoneRow], doc_ids: Iterable[str], by: str, reason: str, moment: datetime) -> list[TombstoneRow]:
    """The rows of these documents, lifted. Raises InputError for a document without a tombstone in force."""
    held = Tombstones.of_rows(rows)
    found = {doc_id: held.by_id.get(salted(held.salt, doc_id)) for doc_id in doc_ids}
    if missing := [doc_id for doc_id, row in found.items() if row is None]:
        raise InputError(f"{len(missing)} of these documents are not forgotten, such as {missing[0]!r}: nothing was lifted")
    return [row | {"lifted_at": moment, "lifted_by": by, "lifted_reason": reason} for row in found.values() if row]


def digest(erasure_id: str, doc_ids: Iterable[str]) -> str:
    """SHA-256 hex over the ids, by which a plan that was approved is known again; two erasures of the same documents have two."""
    return salted(erasure_id, json.dumps(sorted(set(doc_ids))))


@dataclass(frozen=True, slots=True)
class Forgotten:
    """By what a forgotten document is known in a row: ids, ids of its chunks, its files' places, and hashes of pieces of its texts.

    At a provider its chunks' texts are known by their hashes.
    """

    doc_ids: frozenset[str]
    chunk_ids: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    pieces: frozenset[int] = frozenset()
    text_hashes: frozenset[str] = frozenset()

    def as_note(self) -> dict[str, Any]:
        """As JSON can hold it."""
        pieces = b64encode(pack(f"<{len(self.pieces)}Q", *sorted(self.pieces))).decode()
        return {name: sorted(getattr(self, name)) for name in SETS} | {"pieces": pieces}

    @classmethod
    def of_note(cls, note: dict[str, Any]) -> "Forgotten":
        """What `as_note` made."""
        content = b64decode(note["pieces"])
        sets = {name: frozenset(note.get(name, ())) for name in SETS}
        return cls(**sets, pieces=frozenset(unpack(f"<{len(content) // 8}Q", content)))

    def is_quoted(self, value: str) -> bool:
        """Whether a value names a document or a chunk, or repeats a piece of 24 characters of a text, or a whole one."""
        return any(self._is_said(text) for text in _texts(value))

    def without_quotes(self, value: str) -> str:
        """The value without what quotes: of a JSON list its other members, else a sentence in its place."""
        try:
            members = json.loads(value)
        except ValueError:
            members = None
        if not isinstance(members, list):
            return REPLACEMENT if self.is_quoted(value) else value
        left = [member for member in members if not any(self._is_said(text) for text in _leaves(member))]
        return value if len(left) == len(members) else json.dumps(left, ensure_ascii=False)

    def _is_said(self, text: str) -> bool:
        return (
            any(found in self.chunk_ids for found in HEX_ID.findall(text))
            or any(_is_named(text, names) for names in (self.doc_ids, self.places))
            or any(piece in self.pieces for piece in pieces_of(text))
        )


def pieces_of(text: str) -> Iterator[int]:
    """Hashes of the text's pieces of 24 characters, one from each beginning of a word, and of the whole text; spaces count as one."""
    plain = " ".join(text.split())
    if len(plain) >= WINDOW // 2:
        yield _hash(plain)
    for start in (0, *(match.end() for match in re.finditer(" ", plain))):
        if start + WINDOW <= len(plain):
            yield _hash(plain[start : start + WINDOW])


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _texts(value: str) -> Iterator[str]:
    """The value, and where it is JSON what stands in it."""
    yield value
    if value[:1] in "[{":
        try:
            yield from _leaves(json.loads(value))
        except ValueError:
            return


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from (key, *_leaves(member))
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member)


def _is_named(text: str, names: frozenset[str]) -> bool:
    """Whether the text has one of the names as a word of its own; a very short one only as the whole text, or in quotes."""
    plain = (name for name in _words(text) if name in names)
    odd = (name for name in _odd(names) if name in text and re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-])", text))
    return any(len(name) >= SHORT_NAME or text == name or f"'{name}'" in text or f'"{name}"' in text for name in chain(plain, odd))


def _words(text: str) -> Iterator[str]:
    """What may be a name of letters, digits and `./-`: a run of them, or a part of it from its beginning to a full stop."""
    for run in WORD.findall(text):
        yield run
        yield from (run[: match.start()] for match in re.finditer(r"\.", run))


@cache
def _odd(names: frozenset[str]) -> tuple[str, ...]:
    """The names with other characters in them."""
    return tuple(name for name in names if name and not WORD.fullmatch(name))
