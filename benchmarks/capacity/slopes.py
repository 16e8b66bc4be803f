"""How each phase grows with the corpus and with the change: fitted to what was measured, and checked against the largest corpus."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

ALL_STEPS, QUIET = "all steps", "quiet run"

Point = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Slope:
    """Seconds of a phase: `fixed`, and for each document of the corpus, and for each changed document."""

    fixed: float
    per_document: float
    per_changed: float

    def at(self, documents: float, changed: float) -> float:
        """Seconds beside a corpus of so many documents, for so many that changed."""
        return self.fixed + self.per_document * documents + self.per_changed * changed


@dataclass(frozen=True, slots=True)
class Check:
    """What a fit without the largest corpus says about it, and what was measured there, in seconds."""

    documents: int
    changed: int
    phase: str
    predicted: float
    measured: float

    @property
    def ratio(self) -> float:
        """Predicted / measured."""
        return self.predicted / self.measured if self.measured else float("inf")


def fit(rows: Iterable[tuple[float, float, float]]) -> Slope:
    """The slope with the least squares through (documents, changed, seconds), no part of it below zero.

    With three parts the best active set is found by trying all of them (Lawson and Hanson, 1974, solve the general case). Among equals
    the one with the fewest parts.
    """
    table = np.array(list(rows), float).reshape(-1, 3)
    terms, seconds = np.column_stack([np.ones(len(table)), table[:, 0], table[:, 1]]), table[:, 2]
    best, least = np.zeros(3), float(seconds @ seconds)
    for chosen in (list(each) for size in (1, 2, 3) for each in combinations(range(3), size)):
        scale = np.abs(terms[:, chosen]).max(axis=0)
        parts = np.linalg.lstsq(terms[:, chosen] / np.where(scale, scale, 1), seconds, rcond=None)[0] / np.where(scale, scale, 1)
        left = float(((terms[:, chosen] @ parts - seconds) ** 2).sum())
        if (parts >= 0).all() and left < least * (1 - 1e-9):
            best, least = np.zeros(3), left
            best[chosen] = parts
    return Slope(*map(float, best))


def fit_phases(points: Sequence[Point]) -> dict[str, Slope]:
    """The slope of every phase that the points have."""
    named = dict.fromkeys(phase for point in points for phase in point["phases"])
    having = {phase: [point for point in points if phase in point["phases"]] for phase in named}
    return {phase: fit((one["documents"], one["changed"], one["phases"][phase]) for one in having[phase]) for phase in named}


def check(points: Sequence[Point], quiet: Sequence[dict[str, float]] = ()) -> list[Check]:
    """Fit on every corpus but the largest, and hold what that says about the largest against what was measured there.

    One check for each phase and one for all steps, for each size of change; and one for each of the quiet runs. None where there are fewer
    than three corpora: two show how it grows, a third is what is checked.
    """
    sizes = sorted({point["documents"] for point in points})
    if len(sizes) < 3:
        return []
    slopes = fit_phases([point for point in points if point["documents"] < sizes[-1]])
    found = []
    for point in sorted((point for point in points if point["documents"] == sizes[-1]), key=lambda point: point["changed"]):
        size, changed, phases = point["documents"], point["changed"], point["phases"]
        each = [Check(size, changed, phase, slopes[phase].at(size, changed), seconds) for phase, seconds in phases.items()]
        found += [*each, Check(size, changed, ALL_STEPS, sum(one.predicted for one in each), sum(one.measured for one in each))]
    known = [one for one in quiet if one["documents"] < sizes[-1]]
    for one in (one for one in quiet if one["documents"] == sizes[-1] and known):
        predicted = fit((each["documents"], 0, each["seconds"]) for each in known).at(sizes[-1], 0)
        found.append(Check(sizes[-1], 0, QUIET, predicted, one["seconds"]))
    return found
