"""What Athena's engine says otherwise than Trino: the functions over vectors that it lacks, and views whose times have no zone."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

PRODUCT = "reduce(zip_with({0}, {1}, (x, y) -> x * y), 0e0, (total, part) -> total + part, total -> total)"
DISTANCE = "sqrt(reduce(zip_with({0}, {1}, (x, y) -> (x - y) * (x - y)), 0e0, (total, part) -> total + part, total -> total))"
LENGTH = "sqrt(reduce({0}, 0e0, (total, part) -> total + part * part, total -> total))"
COSINE = f"({PRODUCT} / ({LENGTH} * {LENGTH.replace('{0}', '{1}')}))"
# Each of vectors of equal length, of doubles.
FUNCTIONS = {
    "dot_product": PRODUCT,
    "cosine_similarity": COSINE,
    "cosine_distance": f"(1e0 - {COSINE})",
    "euclidean_distance": DISTANCE,
    "any_value": "arbitrary({0})",
}
# What is in quotes is passed over.
CALL = re.compile(rf"'[^']*'|\"[^\"]*\"|\b({'|'.join(FUNCTIONS)})\(")
VIEW = re.compile(r"create or replace view (\S+) as\s+(.*)", re.DOTALL)


@lru_cache(maxsize=512)
def in_athena(text: str) -> str:
    """The statement, its values not yet filled in, with every function that Athena may lack written out in those that it has."""
    called = next((found for found in CALL.finditer(text) if found[1]), None)
    if called is None:
        return text
    arguments, end = _arguments(text, called.end())
    written = FUNCTIONS[called[1]].format(*map(in_athena, arguments))
    return text[: called.start()] + written + in_athena(text[end:])


def _arguments(text: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call from behind its parenthesis, and where it ends."""
    depth, begins, found = 0, start, []
    for place, character in _outside_quotes(text, start):
        if character in "([":
            depth += 1
        elif character == "," and depth == 0:
            found.append(text[begins:place].strip())
            begins = place + 1
        elif character in ")]":
            if depth == 0:
                return [*found, text[begins:place].strip()], place + 1
            depth -= 1
    raise ValueError(f"a call without its end: {text[start:]:.80}")


def _outside_quotes(text: str, start: int) -> Iterator[tuple[int, str]]:
    quote = ""
    for place, character in enumerate(text[start:], start):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            yield place, character


def view_body(text: str) -> str | None:
    """The query of a statement that creates a view; None for any other statement."""
    found = VIEW.fullmatch(text.strip())
    return found[2] if found else None


def view_without_zones(text: str, columns: Sequence[tuple[str, str]]) -> str:
    """The view's statement over the same rows, its times cast to `timestamp(3)` in UTC: Athena keeps no other times in a view.

    `columns` are the names and types of what its query answers.
    """
    found = VIEW.fullmatch(text.strip())
    if not found or not any("with time zone" in kind for _, kind in columns):
        return text
    kept = ",\n".join(f"    {_kept(name, kind)}" for name, kind in columns)
    return f"create or replace view {found[1]} as\n\nselect\n{kept}\nfrom (\n\n{found[2]}\n\n)"


def _kept(name: str, kind: str) -> str:
    return f"cast({name} at time zone 'UTC' as timestamp(3)) as {name}" if "with time zone" in kind else name
