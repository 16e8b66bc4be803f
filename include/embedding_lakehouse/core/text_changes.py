"""What changed between two texts, line by line, with a few unchanged lines around each change."""

import difflib
from dataclasses import dataclass
from itertools import takewhile

CONTEXT_LINES = 2
# Comparing takes time in the square of what differs: beyond this a text is not compared.
MOST_LINES = 4_000
SHOWN_LINES = 400
LINE_CHARACTERS = 400
CHARACTERS_BEFORE = 80


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a comparison: `change` is `added`, `removed`, `kept`, or `gap` for unchanged lines that are left out."""

    change: str
    text: str


def text_changes(before: str, after: str) -> list[Line] | None:
    """The changed lines with their surroundings, at most 400; none where the texts are equal. None for texts too long to compare."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > MOST_LINES:
        return None
    lines: list[Line] = []
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT_LINES):
        if lines:
            lines.append(Line("gap", ""))
        for kind, old_start, old_end, new_start, new_end in group:
            if kind == "equal":
                lines += [Line("kept", _shortened(text)) for text in old[old_start:old_end]]
            else:
                lines += _replaced(old[old_start:old_end], new[new_start:new_end])
    return lines[:SHOWN_LINES]


def _replaced(old: list[str], new: list[str]) -> list[Line]:
    """The lines that went and those that came. Of a long line its beginning is left out up to shortly before the first difference."""
    starts = [max(0, _common_start(before, after) - CHARACTERS_BEFORE) for before, after in zip(old, new, strict=False)]
    rest = [0] * abs(len(old) - len(new))
    removed = [Line("removed", _shortened(text, start)) for text, start in zip(old, starts + rest, strict=False)]
    added = [Line("added", _shortened(text, start)) for text, start in zip(new, starts + rest, strict=False)]
    return removed + added


def _common_start(before: str, after: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _shortened(text: str, start: int = 0) -> str:
    if len(text) <= LINE_CHARACTERS:
        return text
    shown = text[start : start + LINE_CHARACTERS]
    return f"{'…' if start else ''}{shown}{'…' if start + LINE_CHARACTERS < len(text) else ''}"
