"""Growth is found again in points that were made with it, and a check leaves the largest corpus out."""

import random

import pytest

from benchmarks.capacity.slopes import ALL_STEPS, QUIET, Slope, check, fit

SIZES, CHANGES = (1_000, 10_000, 100_000, 1_000_000), (100, 1_000)
GROWN = {"detect": Slope(0.5, 2e-6, 0.0), "embed": Slope(1.0, 0.0, 3e-3)}


def points(sizes=SIZES):
    phases = GROWN.items()
    return [
        {"documents": size, "changed": changed, "texts": 6 * changed, "phases": {name: slope.at(size, changed) for name, slope in phases}}
        for size in sizes
        for changed in CHANGES
    ]


@pytest.mark.parametrize("grown", [Slope(0.5, 2e-6, 0.0), Slope(0.0, 0.0, 3e-3), Slope(1.0, 3e-6, 2e-3), Slope(4.0, 0.0, 0.0)])
def test_a_fit_finds_the_slopes_that_made_the_points(grown: Slope) -> None:
    found = fit((size, changed, grown.at(size, changed)) for size in SIZES for changed in CHANGES)
    assert found.fixed == pytest.approx(grown.fixed, abs=1e-6)
    assert found.per_document == pytest.approx(grown.per_document, abs=1e-12)
    assert found.per_changed == pytest.approx(grown.per_changed, abs=1e-9)


def test_no_part_of_a_fit_is_below_zero_where_noise_would_have_it_so() -> None:
    noise = random.Random(7)
    found = fit((size, changed, 5.0 - 1e-6 * size + noise.random()) for size in SIZES for changed in CHANGES)
    assert min(found.fixed, found.per_document, found.per_changed) >= 0
    assert found.per_document == 0


def test_a_check_predicts_the_largest_corpus_from_the_smaller_ones_alone() -> None:
    measured = points()
    for point in measured:
        if point["documents"] == max(SIZES):
            point["phases"] = {name: 2 * seconds for name, seconds in point["phases"].items()}
    found = check(measured, [{"documents": size, "seconds": 0.4 + 1e-6 * size} for size in SIZES])
    assert {one.documents for one in found} == {max(SIZES)}
    assert {(one.changed, one.phase) for one in found} == {(each, phase) for each in CHANGES for phase in (*GROWN, ALL_STEPS)} | {
        (0, QUIET)
    }
    assert [one.ratio for one in found if one.phase == ALL_STEPS] == pytest.approx([0.5, 0.5])
    assert [one.ratio for one in found if one.phase == QUIET] == pytest.approx([1.0])


def test_two_corpora_are_too_few_to_check_growth() -> None:
    assert check(points(SIZES[:2])) == []
