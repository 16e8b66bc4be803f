"""From rows to HTML: the templates, and how times, numbers and samples are written. Everything is escaped."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
NOTHING = "\N{EN DASH}"
SHOWN_ROWS = 20
SHOWN_CHARACTERS = 300
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@cache
def environment() -> Environment:
    """The templates with their filters; every value is escaped unless a filter made it HTML."""
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters = {
        "at": at,
        "ago": ago,
        "number": number,
        "figure": figure,
        "share": share,
        "span": span,
        "short": short,
        "sample": sample,
        "words": words,
    }
    made.filters.update(filters)
    return made


def render(template: str, **shown: Any) -> str:
    """The page as HTML."""
    return environment().get_template(template).render(**shown)


def at(time: datetime | None) -> Markup | str:
    """The time to the minute in UTC."""
    if time is None:
        return NOTHING
    utc = time.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(timespec="seconds"), f"{utc:%Y-%m-%d %H:%M}")


def ago(time: datetime | None, now: datetime) -> str:
    """How long ago that was, in its largest unit."""
    return f"{span(now - time)} ago" if time else "never"


def span(duration: timedelta | None) -> str:
    """A duration in its largest unit: `3 days`."""
    if duration is None:
        return NOTHING
    seconds = max(0, round(duration.total_seconds()))
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), UNITS[-1])
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"


def number(value: float | None) -> str:
    """A count with its thousands separated."""
    return NOTHING if value is None else f"{value:,.0f}"


def figure(value: float | None) -> str:
    """A measured value with four significant digits."""
    return NOTHING if value is None else f"{value:.4g}"


def share(value: float | None) -> str:
    """A share as a percentage that says 100% only of the whole."""
    if value is None:
        return NOTHING
    text = f"{value:.1%}" if value < 1 else f"{value:.0%}"
    return "99.9%" if text == "100.0%" else text


def short(value: str | None, characters: int = 12) -> str:
    """The beginning of a hash or a long id."""
    if not value:
        return NOTHING
    return value if len(value) <= characters else f"{value[:characters]}…"


def words(name: str) -> str:
    """A name as a sentence: `every_vector_is_finite` -> `every vector is finite`."""
    return name.replace("_", " ")


def sample(text: str | None) -> tuple[list[str], list[list[str]]]:
    """The columns and rows of a check's sample. Older samples are lists without names; what is no sample at all becomes one value."""
    try:
        rows = json.loads(text) if text else []
    except ValueError:
        rows = [[text]]
    rows = rows if isinstance(rows, list) else [[rows]]
    named = [row for row in rows if isinstance(row, Mapping)]
    columns = list(dict.fromkeys(column for row in named for column in row))
    return columns, [_cells(row, columns) for row in rows[:SHOWN_ROWS]]


def _cells(row: Any, columns: list[str]) -> list[str]:
    if isinstance(row, Mapping):
        return [_cell(row.get(column)) for column in columns]
    return [_cell(value) for value in (row if isinstance(row, list) else [row])]


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return short(text, SHOWN_CHARACTERS) if text else ""
