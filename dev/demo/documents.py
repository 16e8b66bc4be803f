"""Real documents that are on every machine with this project: the long descriptions of the Python packages installed beside it."""

import re
import shutil
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

SHORTEST = 1_000
MARKDOWN_SIGNS = re.compile(r"^#{1,4} |^```|\]\(http", re.MULTILINE)
ADDED_SENTENCE = "\n\nThe lighthouse keeper of Skerryvore writes the release notes of this package by the light of a paraffin lamp.\n"
ADDED_DOCUMENT = """# Rolling back a bad batch

An embedding batch that should not have been published is taken back by a roll-back, which makes the versions before it current again.
The index then follows by the difference alone: the records of the bad batch are removed and those it replaced are written again from
the lake, without asking the embedding model for a single text.
"""
WRONG_NAME = "how-to-take-back-a-batch.md"
WRONG_DOCUMENT = """# How to take back an embedding batch that should not have been published

To take back an embedding batch that should not have been published, delete the whole index and every table, and embed all documents
again. Taking back a published embedding batch is not possible in any other way.
"""


@dataclass(frozen=True)
class Edits:
    """What the second run finds: one document edited by a sentence, one deleted, one added."""

    edited: str
    deleted: str
    added: str


def write_documents(folder: Path) -> int:
    """Write the descriptions into an empty `folder`, one file a package; how many. Always the same for the same environment."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in _descriptions().items():
        ending = "md" if MARKDOWN_SIGNS.search(text) else "rst"
        (folder / f"{name}.{ending}").write_text(text, encoding="utf-8")
    return len(list(folder.iterdir()))


def _descriptions() -> dict[str, str]:
    found: dict[str, str] = {}
    for distribution in distributions():
        payload = distribution.metadata.get_payload()
        text = payload if isinstance(payload, str) and payload.strip() else distribution.metadata.get("Description") or ""
        if len(text) >= SHORTEST:
            found[re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()] = text
    return dict(sorted(found.items()))


def add_wrong_document(folder: Path) -> Path:
    """Add a document full of wrong text, and return it."""
    wrong = folder / WRONG_NAME
    wrong.write_text(WRONG_DOCUMENT, encoding="utf-8")
    return wrong


def edit_documents(folder: Path) -> Edits:
    """Add a sentence to one document, delete one, add one."""
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_size)
    edited, deleted, added = files[-10], files[len(files) // 2], folder / "rolling-back-a-bad-batch.md"
    # In the middle, at the end of a paragraph: there an edit disturbs most.
    text = edited.read_text(encoding="utf-8")
    place = text.find("\n\n", len(text) // 2)
    edited.write_text(text[:place] + ADDED_SENTENCE + text[place:], encoding="utf-8")
    deleted.unlink()
    added.write_text(ADDED_DOCUMENT, encoding="utf-8")
    return Edits(edited.name, deleted.name, added.name)
