"""The report: a section for each group, kept as JSON and shown as Markdown; a group that runs again replaces its own section only."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measures import Spread, short
from benchmarks.plots import draw

JSON_FILE, MARKDOWN_FILE, PLOTS = "results.json", "RESULTS.md", "plots"
VERDICTS = {True: "reached", False: "**missed**", None: ""}

Row = list[str]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure against its limit. `target` is its number among the project's targets; `most` and `least` bound its median.

    What is `counted` (texts, requests, commits, files, rows, bytes) is the same on every machine, unlike what takes time or memory.
    """

    name: str
    value: Spread
    target: int | None = None
    most: float | None = None
    least: float | None = None
    beside: str = ""
    counted: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether the median is within the bounds; None where there is none."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or self.value.median <= self.most) and (self.least is None or self.value.median >= self.least)

    @property
    def limit(self) -> str:
        if self.most is not None:
            return f"<= {short(self.most)}"
        return f">= {short(self.least)}" if self.least is not None else ""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures that stand side by side."""

    title: str
    columns: Row
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over logarithmic axes: by their names, points of x and y."""

    name: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class Section:
    """What one group found: figures, tables, and what a reader must know to trust them."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    # What is computed further, beside the JSON of all of the above.
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def grown(self) -> list[Figure]:
        """What is counted and past its limit."""
        return [figure for figure in self.figures if figure.counted and figure.holds is False]


def write(folder: Path, name: str, section: Section, circumstances: dict[str, Any]) -> Path:
    """Put a group's section, with the circumstances of its run, beside those of the others; the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = folder / JSON_FILE
    kept: dict[str, Any] = json.loads(stored.read_text()) if stored.exists() else {}
    figures = [asdict(figure) | {"limit": figure.limit, "holds": figure.holds} for figure in section.figures]
    kept[name] = asdict(section) | {"figures": figures, "run": circumstances}
    for each, shown in kept.items():
        shown["drawn"] = draw(folder / PLOTS, each, shown)
    stored.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    shown = folder / MARKDOWN_FILE
    shown.write_text("\n".join(_markdown(kept)).rstrip() + "\n")
    return shown


def _markdown(kept: dict[str, Any]) -> Iterable[str]:
    yield "# Results\n"
    yield "Written by `make bench`, never by hand. Every figure compares things that ran in turn in the same script; where there were"
    yield "several rounds it is their median, with the lowest and the highest. Seconds are wall clock unless said. What a figure means and"
    yield "what it leaves out stands under it.\n"
    for name, section in kept.items():
        run = section["run"]
        yield f"## {section['title']} (`{name}`)\n"
        if section["figures"]:
            yield from _table(["target", "figure", "measured", "limit", "", "beside"], [_figure(one) for one in section["figures"]])
        yield from (f"![{plot}]({PLOTS}/{plot}.svg)\n" for plot in section.get("drawn", ()))
        for table in section["tables"]:
            yield f"{table['title']}:\n"
            yield from _table(table["columns"], table["rows"])
        yield from (f"- {note}" for note in section["notes"])
        yield f"- {_sentence(run)}\n"


def _figure(figure: dict[str, Any]) -> Row:
    target = str(figure["target"]) if figure["target"] else ""
    return [target, figure["name"], str(Spread(**figure["value"])), figure["limit"], VERDICTS[figure["holds"]], figure["beside"]]


def _table(columns: Row, rows: list[Row]) -> Iterable[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _sentence(run: dict[str, Any]) -> str:
    return (
        f"Run of {run['at']} at commit {run['commit']}: {run['cores']} cores, load {run['load_before']} before and {run['load_after']} "
        f"after, {run['seconds']} s, Python {run['python']}."
    )
