"""Real edits of documents: a history that the user has, or a made one where there is none."""

import gzip
import json
import random
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpus import Corpus
from dev.stack.component import ROOT

# Beside the checkout, where it has one: the documentation of an open-source project at 30 points in time.
DEFAULT = ROOT.parent / "shared" / "corpus" / "docs_history.jsonl.gz"
MADE_DOCUMENTS, MADE_EDITS = 200, 5


class Edit(NamedTuple):
    """A document before and after."""

    before: str
    after: str


def default_history() -> Path | None:
    """The history beside the checkout, if there is one."""
    return DEFAULT if DEFAULT.exists() else None


def versions(history: Path | None) -> Iterator[Edit]:
    """Each version of a document after the one before, in the order of the history.

    A history is JSON Lines (also gzipped): `path`, and `text`, which is null where the document was removed. Without one, made edits.
    """
    if history is None:
        yield from _made()
        return
    current: dict[str, str] = {}
    with gzip.open(history, "rt") if history.suffix == ".gz" else history.open() as lines:
        for line in lines:
            entry = json.loads(line)
            before = current.pop(entry["path"], None)
            if entry["text"] is None:
                continue
            if before is not None and before != entry["text"]:
                yield Edit(before, entry["text"])
            current[entry["path"]] = entry["text"]


def places(edit: Edit) -> list[Edit]:
    """The same edit place by place: the document before with only one run of lines changed, for each that is."""
    before, after = edit.before.splitlines(keepends=True), edit.after.splitlines(keepends=True)
    return [
        Edit(edit.before, "".join([*before[:start], *after[new_start:new_end], *before[end:]]))
        for kind, start, end, new_start, new_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        if kind != "equal"
    ]


def _made() -> Iterator[Edit]:
    """Documents with headings, each edited some times: a sentence put in, taken out or exchanged."""
    for doc_id, text in Corpus(MADE_DOCUMENTS, seed=1).texts():
        choose = random.Random(doc_id)
        paragraphs = [f"## {part[:40]}\n\n{part}" if number % 3 == 0 else part for number, part in enumerate(text.split("\n\n"))]
        for _ in range(MADE_EDITS):
            place = choose.randrange(len(paragraphs))
            sentences = paragraphs[place].split(". ")
            first = choose.randrange(len(sentences))
            put_in = [choose.choice(text.split(". "))] if choose.random() < 2 / 3 else []
            sentences[first : first + choose.randint(0 if put_in else 1, 1)] = put_in
            edited = [*paragraphs[:place], ". ".join(sentences), *paragraphs[place + 1 :]]
            if edited != paragraphs:
                yield Edit("\n\n".join(paragraphs), "\n\n".join(edited))
            paragraphs = edited
