"""The bundled model: the library's own vectors, whatever texts stand beside them."""

from pathlib import Path

import numpy as np
import pytest
import wordllama

from embedding_lakehouse.clients.models import Embedded, checked_vectors, load_model
from embedding_lakehouse.clients.models.wordllama import WordLlamaModel
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError, TransientError

TEXTS = [
    "Iceberg keeps every version of a table.",
    "one",
    "Größe, naïveté, 東京, 👩‍👩‍👧‍👦 and עברית",
    "def f(x):\n    return x ** 2\n",
    "word " * 3_000,
    "\u200b",
    "\x00",
    "a" * 5_000,
    *(f"sentence number {number} " * (number % 40 + 1) for number in range(150)),
]


def profile(name: str = "l2_supercat", dimensions: int = 256, normalise: bool = True) -> Profile:
    return Profile("docs", "wordllama", name, "v1", dimensions, normalise)


@pytest.fixture(scope="module")
def model() -> WordLlamaModel:
    return WordLlamaModel(profile())


@pytest.fixture(scope="module")
def answer(model: WordLlamaModel) -> Embedded:
    return model.embed(TEXTS)


def test_the_vectors_are_those_of_the_library(answer: Embedded) -> None:
    library = wordllama.WordLlama.load("l2_supercat", cache_dir=Path(wordllama.__file__).parent, dim=256, disable_download=True)
    np.testing.assert_allclose(answer.vectors, library.embed(TEXTS, norm=True), atol=1e-6)


def test_a_vector_does_not_depend_on_the_texts_beside_it(model: WordLlamaModel, answer: Embedded) -> None:
    alone = np.concatenate([model.embed([text]).vectors for text in TEXTS])
    assert alone.tobytes() == answer.vectors.tobytes()


def test_a_vector_does_not_depend_on_the_order(model: WordLlamaModel, answer: Embedded) -> None:
    assert model.embed(TEXTS[::-1]).vectors[::-1].tobytes() == answer.vectors.tobytes()


def test_every_vector_has_length_one(answer: Embedded) -> None:
    np.testing.assert_allclose(np.linalg.norm(answer.vectors, axis=1), 1, atol=1e-6)


def test_vectors_are_float32_of_the_wanted_dimensions(answer: Embedded) -> None:
    assert (answer.vectors.dtype, answer.vectors.shape) == (np.float32, (len(TEXTS), 256))


def test_every_text_has_its_token_count(answer: Embedded) -> None:
    assert len(answer.token_counts) == len(TEXTS)
    assert min(answer.token_counts) >= 1


def test_a_text_without_a_token_has_the_zero_vector(model: WordLlamaModel) -> None:
    answer = model.embed(["", "text"])
    assert answer.token_counts[0] == 0
    assert not answer.vectors[0].any()
    assert answer.vectors[1].any()


def test_no_texts_have_no_vectors(model: WordLlamaModel) -> None:
    assert model.embed([]).vectors.shape == (0, 256)


def test_without_normalisation_a_vector_keeps_its_length(model: WordLlamaModel, answer: Embedded) -> None:
    raw = WordLlamaModel(profile(normalise=False)).embed(TEXTS).vectors
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=1, keepdims=True), answer.vectors, atol=1e-6)
    assert np.linalg.norm(raw, axis=1).max() > 1.1


@pytest.mark.parametrize(("name", "dimensions"), [("l2_supercat", 64), ("l2_supercat", 100), ("l3_supercat", 256), ("nonsense", 256)])
def test_weights_that_are_not_there_are_named(name: str, dimensions: int) -> None:
    with pytest.raises(ConfigurationError, match=f"wordllama brings no weights '{name}' of {dimensions} dimensions"):
        WordLlamaModel(profile(name, dimensions))


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"profile 'docs': unknown provider 'oracle'; known are wordllama, .*and a class of your own as package\.module:Class",
    ):
        load_model(Profile("docs", "oracle", "m", "v", 3))


THREE = Profile("three", "wordllama", "m", "v", 3)


def test_too_few_vectors_are_refused() -> None:
    with pytest.raises(TransientError, match="m answered 1 vectors for 2 texts"):
        checked_vectors(np.ones((1, 3)), 2, THREE)


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"m answers vectors of \(4,\) dimensions, the profile declares 3"):
        checked_vectors(np.ones((2, 4)), 2, THREE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
def test_a_vector_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(TransientError, match="m answered a vector with NaN or infinity"):
        checked_vectors(np.array([[1.0, value, 1.0]]), 1, THREE)


def test_vectors_of_different_lengths_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="m answers vectors of different lengths, the profile declares 3"):
        checked_vectors([[1.0, 2.0, 3.0], [1.0, 2.0]], 2, THREE)
