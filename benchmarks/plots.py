"""The plots of the report, as SVG: a group's figures against their limits, and lines where it has some."""

from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib

matplotlib.use("svg")
# Text stays text, and the same figures give the same file.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lakehouse", "font.size": 9})
from matplotlib import pyplot  # noqa: E402

WIDTH = 46
OURS, LIMIT, MISSED = "#1f6feb", "#57606a", "#cf222e"


def draw(folder: Path, group: str, section: dict[str, Any]) -> list[str]:
    """Draw a group's section into the folder; the names of its plots. A group without a limit or a line has none."""
    folder.mkdir(parents=True, exist_ok=True)
    bounded = [figure for figure in section["figures"] if figure["holds"] is not None]
    drawn = [_against_limits(folder, group, bounded)] if bounded else []
    return drawn + [_lines(folder, group, plot) for plot in section.get("plots", ())]


def _against_limits(folder: Path, group: str, figures: list[dict[str, Any]]) -> str:
    """Each figure as a share of its limit, with its spread; left of the line is where at most the limit is wanted, right where at least."""
    shown, axes = pyplot.subplots(figsize=(8, 0.6 + 0.45 * len(figures)))
    for place, figure in enumerate(reversed(figures)):
        limit = figure["most"] if figure["most"] is not None else figure["least"]
        middle, low, high = (_share(figure["value"][name], limit) for name in ("median", "low", "high"))
        sign = "at most" if figure["most"] is not None else "at least"
        axes.barh(place, middle, xerr=[[middle - low], [high - middle]], color=OURS if figure["holds"] else MISSED, height=0.6)
        axes.annotate(f" {sign} {limit:.3g}", (high, place), va="center", textcoords="offset points", xytext=(6, 0), color=LIMIT)
    axes.axvline(1, color=LIMIT, linewidth=1)
    axes.set_yticks(range(len(figures)), [fill(figure["name"], WIDTH) for figure in reversed(figures)])
    axes.set_xlabel("measured / limit")
    return _saved(shown, axes, folder, group)


def _share(value: float, limit: float) -> float:
    # Where nothing is allowed, nothing is the whole of it.
    return value / limit if limit else float(value > 0)


def _lines(folder: Path, group: str, plot: dict[str, Any]) -> str:
    shown, axes = pyplot.subplots(figsize=(8, 4))
    for name, points in plot["lines"].items():
        axes.loglog(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xlabel(plot["x"])
    axes.set_ylabel(plot["y"])
    axes.grid(which="both", alpha=0.2)
    axes.legend()
    return _saved(shown, axes, folder, f"{group}-{plot['name']}")


def _saved(shown: Any, axes: Any, folder: Path, name: str) -> str:
    axes.spines[["top", "right"]].set_visible(False)
    shown.savefig(folder / f"{name}.svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    pyplot.close(shown)
    return name
