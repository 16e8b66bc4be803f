"""Which measures are drift, from which cause, and how the verdict says so: at the borders."""

import pytest

from embedding_lakehouse.core.drift import causes, conclude
from embedding_lakehouse.core.drift_measures import (
    THRESHOLDS,
    Measure,
    distance_by_chance,
    measured,
    norms_by_chance,
    share_by_chance,
    stability_by_chance,
    stability_index,
    unmeasured,
)

MEASURED = [name for name, threshold in THRESHOLDS.items() if threshold.limit is not None]


def beyond(measure: str, by: float = 0.0001) -> Measure:
    """A measure so far beyond its threshold."""
    return measured(measure, None, None, (THRESHOLDS[measure].limit or 0) + by, f"{measure} is beyond")


def changed(share: float) -> Measure:
    return measured("changed_documents", 100, 100, share, f"{share * 100:.0f} of 100 documents changed")


@pytest.mark.parametrize("measure", MEASURED)
def test_a_drift_at_its_threshold_is_not_exceeded_and_beyond_it_is(measure: str) -> None:
    assert not beyond(measure, by=0).is_exceeded
    assert beyond(measure).is_exceeded


@pytest.mark.parametrize("measure", THRESHOLDS)
def test_every_threshold_has_its_reason(measure: str) -> None:
    assert THRESHOLDS[measure].reason


def test_what_could_not_be_measured_exceeds_nothing() -> None:
    assert not unmeasured("canary_cosine", "the model was asked for the first time").is_exceeded


def test_a_fidelity_at_the_limit_is_not_exceeded_although_its_difference_cannot_be_written_exactly() -> None:
    assert not measured("index_fidelity", 1.0, 0.999, 1 - 0.999).is_exceeded


def test_edits_alone_are_no_drift() -> None:
    assert causes([changed(1.0)]) == []


@pytest.mark.parametrize("moved", ["centroid_distance", "projections", "tokens_per_text", "near_duplicates", "chunk_length"])
def test_what_moved_with_changed_documents_is_the_source(moved: str) -> None:
    assert causes([changed(0.01), beyond(moved)]) == ["source"]


@pytest.mark.parametrize("moved", ["centroid_distance", "norm_mean", "tokens_per_text"])
def test_vectors_that_moved_with_next_to_no_changed_document_are_the_provider(moved: str) -> None:
    assert causes([changed(0.0099), beyond(moved)]) == ["provider"]


def test_lengths_that_moved_with_next_to_no_changed_document_are_the_splitter() -> None:
    assert causes([changed(0.0), beyond("chunk_length"), beyond("chunks_per_document")]) == ["chunking"]


@pytest.mark.parametrize(("measure", "cause"), [(name, THRESHOLDS[name].cause) for name in MEASURED if name not in ("near_duplicates",)])
def test_a_control_names_its_cause(measure: str, cause: str | None) -> None:
    expected = cause if cause not in (None, "source") else "source"
    assert causes([changed(0.5), beyond(measure)]) == [expected]


def test_another_model_explains_moved_vectors_and_edits_beside_it_are_no_second_cause() -> None:
    assert causes([changed(0.5), beyond("other_model"), beyond("centroid_distance"), beyond("near_duplicates")]) == ["model"]


def test_another_splitter_explains_moved_lengths() -> None:
    assert causes([changed(0.5), beyond("other_chunking"), beyond("chunk_length"), beyond("centroid_distance")]) == ["chunking"]


def test_other_texts_beside_another_provider_are_named_second() -> None:
    assert causes([changed(0.5), beyond("canary_cosine"), beyond("tokens_per_text"), beyond("projections")]) == ["provider", "source"]


def test_causes_stand_in_the_order_in_which_they_explain_others() -> None:
    every = [changed(0.5), *(beyond(measure) for measure in MEASURED)]
    assert causes(every) == ["model", "chunking", "provider", "source", "index"]


def test_the_verdict_says_since_when_from_what_and_how_far() -> None:
    fell = measured("canary_cosine", 1.0, 0.953, 0.047, "canary cosine fell from 1.000 to 0.953")
    verdict = conclude([changed(0.0), fell], "batch a", "b")
    assert verdict.sentence == (
        "retrieval drift since batch b: provider change; canary cosine fell from 1.000 to 0.953; 0 of 100 documents changed"
    )
    assert (verdict.is_drift, verdict.causes) == (True, ["provider"])


def test_a_verdict_without_drift_names_what_was_compared_with() -> None:
    assert conclude([changed(0.03)], "batch a", "b").sentence == "no drift against batch a; 3 of 100 documents changed"


def test_the_stability_index_of_equal_shares_is_zero_and_grows_with_the_shift() -> None:
    assert stability_index([(50, 100), (50, 100)]) == pytest.approx(0, abs=1e-5)
    slight, large = stability_index([(50, 45), (50, 55)]), stability_index([(50, 5), (50, 95)])
    assert slight is not None and large is not None
    assert 0 < slight < 0.1 < 1 < large


def test_the_stability_index_is_the_published_sum() -> None:
    assert stability_index([(800_000, 500_000), (200_000, 500_000)]) == pytest.approx(0.41589, abs=1e-4)


def test_an_empty_bin_leaves_the_stability_index_finite_and_an_empty_state_leaves_none() -> None:
    assert stability_index([(10, 0), (0, 10)]) == pytest.approx(5.53, abs=0.01)
    assert stability_index([(10, 0), (5, 0)]) is None
    assert stability_index([]) is None


def test_small_states_may_differ_more_by_chance() -> None:
    assert stability_by_chance(10, 10) > 5 > 0.3 > stability_by_chance(200, 200)
    assert distance_by_chance(0.6, 10, 10) > 0.1 > 0.01 > distance_by_chance(0.6, 1_000, 1_000)
    assert share_by_chance(0.1, 20, 20) > 0.25 > 0.05 > share_by_chance(0.1, 1_000, 1_000)
    assert distance_by_chance(None, 10, 10) == 0
    assert norms_by_chance(0.2, 50, 50) == pytest.approx((0.1236, 0.0874), abs=1e-4)
    assert norms_by_chance(0.0, 1, 1) == (0, 0)
