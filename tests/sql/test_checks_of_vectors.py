"""Norms, identical vectors, lengths, profiles and strategies: what a wrong model, splitter or setting leaves in a batch."""

from pathlib import Path

import numpy as np
import pytest

from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.settings import profile
from tests.checked_batch import Committed, Edit, Row, document_with, first_with, vector
from tests.lake_fixtures import PROFILES, declare

# The vectors of the tests' own profile are not normalised; those of this one are.
NORMALISED = PROFILES.replace('normalise = false\nchunking = { strategy = "structure"', 'chunking = { strategy = "structure"')


def of_length(norm: float) -> list[float]:
    """A vector of that length along the first axis."""
    return [norm, *[0.0] * 7]


def each_with(*vectors: list[float]) -> Edit:
    """Give the rows these vectors, in the order of their chunks."""
    return lambda rows: [
        row | {"embedding": chosen} for row, chosen in zip(sorted(rows, key=lambda row: row["chunk_id"]), vectors, strict=True)
    ]


def violations(committed: Committed, name: str) -> tuple[str, float]:
    result = committed.check(name)
    return result["verdict"], result["value"]


@pytest.fixture
def normalised(committed: Committed, module_profiles: Path):
    """The same batch under a profile that normalises its vectors."""
    declare(module_profiles, NORMALISED)
    try:
        yield committed.journal(committed.batch_id, profile_fingerprint=profile("small").fingerprint)
    finally:
        declare(module_profiles, PROFILES)


def test_a_normalised_vector_has_length_one_within_a_hundredth(normalised: Committed) -> None:
    count = len(normalised.rows(DOCUMENT_EMBEDDINGS))
    within = [of_length(norm) for norm in np.resize([0.991, 1.009], count)]
    assert violations(normalised.embeddings(each_with(*within)), "every_norm_is_normal") == ("passed", 0)
    beyond = [of_length(norm) for norm in np.resize([0.989, 1.011], count)]
    assert violations(normalised.embeddings(each_with(*beyond)), "every_norm_is_normal") == ("failed", count)


def test_a_vector_a_hundred_times_longer_than_the_others_is_abnormal(committed: Committed) -> None:
    count = len(committed.rows(DOCUMENT_EMBEDDINGS))
    lengths = [1.0] * (count - 1)
    assert violations(committed.embeddings(each_with(*map(of_length, [*lengths, 99.0]))), "every_norm_is_normal") == ("passed", 0)
    result = committed.embeddings(each_with(*map(of_length, [*lengths, 101.0]))).check("every_norm_is_normal")
    assert (result["verdict"], result["value"], result["sample"][0]["norm"]) == ("failed", 1, 101.0)


def test_norms_are_compared_with_those_that_were_recorded_of_recent_batches(committed: Committed) -> None:
    count = len(committed.rows(DOCUMENT_EMBEDDINGS))
    committed.embeddings(each_with(*[of_length(4.0)] * count))
    name = "norms_are_like_those_of_recent_batches"
    committed.record(committed.first, name, [{"times_apart": None, "mean_norm": 2.0}])
    assert violations(committed, name) == ("passed", 2.0)
    committed.record(committed.first, name, [{"times_apart": None, "mean_norm": 1.9}])
    result = committed.check(name)
    assert (result["verdict"], result["sample"][0]["mean_norm"], result["sample"][0]["recent_mean_norm"]) == ("warned", 4.0, 1.9)


def test_without_recent_batches_there_is_no_norm_to_compare_with(committed: Committed) -> None:
    assert violations(committed, "norms_are_like_those_of_recent_batches") == ("passed", None)


def test_one_vector_for_different_texts_of_a_batch_is_seen(committed: Committed) -> None:
    count = len(committed.rows(DOCUMENT_EMBEDDINGS))
    result = committed.embeddings(each_with(*[vector(1)] * count)).check("no_vector_stands_for_different_texts")
    assert (result["verdict"], result["value"], result["sample"][0]["text_count"]) == ("warned", 1, count)


def test_the_vector_of_another_text_that_a_recent_batch_embedded_is_seen(committed: Committed) -> None:
    theirs = next(row for row in committed.published() if row["doc_id"] == "c")
    committed.embeddings(document_with("b", embedding=theirs["embedding"]))
    assert violations(committed, "no_vector_stands_for_different_texts") == ("warned", 1)


LENGTHS = {
    "as long as it may be": ("x" * 50, "passed"),
    "one character too long": ("x" * 51, "failed"),
    "one character of four bytes too long": ("😀" * 51, "failed"),
    "as long as it may be, of four bytes each": ("😀" * 50, "passed"),
    "blank": (" \n\t", "failed"),
    "empty": ("", "failed"),
}


@pytest.mark.parametrize(("text", "verdict"), LENGTHS.values(), ids=LENGTHS)
def test_a_chunk_s_length_is_within_its_strategy(committed: Committed, text: str, verdict: str) -> None:
    committed.embeddings(first_with(chunk_text=text))
    assert violations(committed, "every_chunk_length_is_in_bounds") == (verdict, int(verdict == "failed"))


@pytest.mark.parametrize(("words", "verdict"), [(5, "passed"), (6, "failed")])
def test_words_are_counted_where_the_strategy_cuts_by_words(committed: Committed, words: int, verdict: str) -> None:
    fingerprint = profile("other").fingerprint
    committed.journal(committed.batch_id, profile="other", profile_fingerprint=fingerprint)
    committed.embeddings(lambda rows: [row | {"chunk_text": "word"} for row in rows]).embeddings(
        first_with(chunk_text="long-word " * words)
    )
    assert violations(committed, "every_chunk_length_is_in_bounds")[0] == verdict


OTHER_SETTINGS: dict[str, tuple[str, Row]] = {
    "another fingerprint": ("every_model_version_has_one_profile", {"profile_fingerprint": "f" * 16}),
    "another profile": ("every_model_version_has_one_profile", {"profile": "other"}),
    "another model": ("every_model_version_has_one_profile", {"model_name": "guessed"}),
    "another version": ("every_model_version_has_one_profile", {"model_version": "small-v2"}),
    "another strategy": ("every_profile_has_one_chunking_strategy", {"chunking_strategy": "structure(max_characters=60)"}),
}


@pytest.mark.parametrize(("name", "changes"), OTHER_SETTINGS.values(), ids=OTHER_SETTINGS)
def test_a_row_of_other_settings_is_named(committed: Committed, name: str, changes: Row) -> None:
    assert violations(committed.embeddings(first_with(**changes)), name) == ("failed", 1)


def test_a_published_batch_of_the_model_version_under_another_profile_is_named(committed: Committed) -> None:
    committed.journal(committed.first, profile="another")
    result = committed.check("every_model_version_has_one_profile")
    assert (result["verdict"], [row["batch_id"] for row in result["sample"]]) == ("failed", [committed.first])
