"""The real boto3, through Airflow's connection, against a server that answers like Bedrock."""

import logging
import traceback

import numpy as np
import pytest

from dev.model_server.vectors import tokens_of, vector_of
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.models.asking import embed_question
from embedding_lakehouse.clients.models.embedder import Bought, Embedder, Outcome, Rejection
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tokens import estimated_tokens
from embedding_lakehouse.errors import ConfigurationError, LakehouseError, TransientError
from tests.model_fixtures import SECRETS, ModelServer, declared

TEXTS = [f"The text of number {number}." for number in range(20)]
COHERE_V3 = {"model_name": "cohere.embed-english-v3"}


def outcomes(profile: Profile, texts: list[str], patience: float = 20.0) -> dict[int, Outcome]:
    """What became of each text, by its position."""
    embedder = Embedder(profile, load_model(profile), patience=patience)
    return {outcome.position: outcome for some in embedder.embed(texts) for outcome in some}


def vectors(profile: Profile, texts: list[str]) -> np.ndarray:
    """The vectors of texts that are all bought."""
    found = outcomes(profile, texts)
    return np.stack([outcome.vector for _, outcome in sorted(found.items()) if isinstance(outcome, Bought)])


def test_titan_embeds_one_text_a_call(model_server: ModelServer) -> None:
    np.testing.assert_allclose(vectors(declared("titan"), TEXTS), [vector_of(text, 512) for text in TEXTS], atol=1e-6)
    requests, texts = model_server.asked()
    assert ([request.inputs for request in requests], set(texts.values())) == ([1] * 20, {1})


def test_titan_counts_the_tokens_of_each_text(model_server: ModelServer) -> None:
    found = outcomes(declared("titan"), TEXTS)
    assert [outcome.token_count for _, outcome in sorted(found.items()) if isinstance(outcome, Bought)] == list(map(tokens_of, TEXTS))


def test_titan_leaves_its_vectors_as_long_as_they_are_where_the_profile_does_not_normalise(model_server: ModelServer) -> None:
    np.testing.assert_allclose(np.linalg.norm(vectors(declared("titan", normalise=False), TEXTS), axis=1), 3, rtol=1e-5)


def test_cohere_embeds_96_texts_a_call(model_server: ModelServer) -> None:
    texts = [f"Text {number}" for number in range(200)]
    expected = [vector_of(f"search_document {text}", 1_024) for text in texts]
    np.testing.assert_allclose(vectors(declared("cohere"), texts), expected, atol=1e-6)
    assert sorted(request.inputs for request in model_server.asked()[0]) == [8, 96, 96]


def test_cohere_embeds_a_question_as_a_question(model_server: ModelServer) -> None:
    profile = declared("cohere")
    question = embed_question(profile, load_model(profile), "Why?")
    np.testing.assert_allclose(question, vector_of("search_query Why?", 1_024), atol=1e-6)


def test_version_3_of_cohere_is_not_asked_for_a_length(model_server: ModelServer) -> None:
    assert vectors(declared("cohere", **COHERE_V3), TEXTS).shape == (20, 1_024)


@pytest.mark.parametrize("kind", ["throttled", "server_error", "model_timeout", "cut"])
@pytest.mark.parametrize("name", ["titan", "cohere"])
def test_what_passes_is_waited_out(model_server: ModelServer, name: str, kind: str) -> None:
    model_server.put(faults=[{"kind": kind, "times": 2, "headers": {"retry-after": "0.05"}}])
    assert len(vectors(declared(name), TEXTS[:1])) == 1
    requests, _ = model_server.asked()
    # Each failed request once: botocore adds no tries of its own.
    assert len(requests) == (1 if kind == "cut" else 3)


FINAL = {
    "unauthorized": r"refuses the credentials of the connection aws_default: put valid ones there \(ExpiredTokenException",
    "forbidden": r"refuses the credentials of the connection aws_default: put valid ones there \(AccessDeniedException",
    "quota": "the account behind the connection aws_default has used up its quota",
}


@pytest.mark.parametrize(("kind", "message"), FINAL.items(), ids=FINAL)
def test_what_a_person_must_mend_is_asked_once(model_server: ModelServer, kind: str, message: str) -> None:
    model_server.put(faults=[{"kind": kind}])
    with pytest.raises(ConfigurationError, match=message):
        outcomes(declared("titan"), TEXTS[:1])
    assert len(model_server.asked()[0]) == 1


def test_a_model_that_does_not_exist_is_named(model_server: ModelServer) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no model 'amazon\.titan-embed-text-v9:0' behind the connection aws_default"):
        outcomes(declared("titan", model_name="amazon.titan-embed-text-v9:0"), TEXTS)


def test_too_few_vectors_are_refused(model_server: ModelServer) -> None:
    model_server.put(faults=[{"kind": "too_few"}])
    with pytest.raises(TransientError, match="answered 19 vectors for 20 texts"):
        outcomes(declared("cohere"), TEXTS)


@pytest.mark.parametrize("name", ["titan", "cohere"])
def test_a_poisoned_text_is_rejected_alone(model_server: ModelServer, name: str) -> None:
    model_server.put(poison="POISON")
    found = outcomes(declared(name), [*TEXTS[:7], "POISON", *TEXTS[8:]])
    rejected = [outcome for outcome in found.values() if isinstance(outcome, Rejection)]
    assert [(one.position, one.code) for one in rejected] == [(7, "refused")]
    assert "ValidationException: Malformed input request" in rejected[0].reason
    assert len(found) == 20
    assert set(model_server.asked()[1].values()) == {1}


@pytest.mark.parametrize("name", ["titan", "cohere"])
def test_vectors_of_another_length_are_the_profile_s_mistake_where_plain_text_has_them_too(model_server: ModelServer, name: str) -> None:
    profile = declared(name)
    model_server.put(faults=[{"kind": "wrong_dimension"}])
    with pytest.raises(ConfigurationError, match=rf"answers vectors of \({profile.dimensions - 1},\) dimensions, the profile declares"):
        outcomes(profile, TEXTS[:1])
    assert len(model_server.asked()[0]) == 2


@pytest.mark.parametrize("kind", ["error_body", "null_vector"])
@pytest.mark.parametrize("name", ["titan", "cohere"])
def test_an_answer_of_another_form_is_named(model_server: ModelServer, name: str, kind: str) -> None:
    model_server.put(faults=[{"kind": kind}])
    with pytest.raises(TransientError, match=f"answered something else than vectors under profile '{name}'"):
        outcomes(declared(name), TEXTS[:1])


@pytest.mark.parametrize("kind", ["error_body", "null_vector", "wrong_dimension", "server_error"])
@pytest.mark.parametrize("name", ["titan", "cohere"])
def test_a_text_that_never_gets_a_vector_is_rejected_alone(model_server: ModelServer, name: str, kind: str) -> None:
    model_server.put(poison="POISON", poison_as=kind)
    found = outcomes(declared(name), [*TEXTS[:3], "POISON", *TEXTS[4:8]], patience=0.5)
    assert [position for position, outcome in found.items() if isinstance(outcome, Rejection)] == [3]
    assert len(found) == 8
    assert "plain text has a vector and this has none" in found[3].reason
    assert [secret for secret in SECRETS if secret in found[3].reason] == []


@pytest.mark.parametrize("name", ["titan", "cohere"])
def test_tokens_that_the_service_does_not_count_are_estimated(model_server: ModelServer, name: str) -> None:
    model_server.put(faults=[{"kind": "no_count"}])
    found = outcomes(declared(name), TEXTS)
    assert [outcome.token_count for _, outcome in sorted(found.items())] == list(map(estimated_tokens, TEXTS))


@pytest.mark.parametrize("name", ["titan", "cohere"])
def test_a_text_that_the_service_finds_too_long_is_split(model_server: ModelServer, name: str) -> None:
    model_server.put(tokens_per_input=30)
    assert len(vectors(declared(name), [TEXTS[0], "word " * 60])) == 2
    assert max(map(tokens_of, model_server.asked()[1])) <= 30


@pytest.mark.parametrize("kind", ["unauthorized", "server_error", "error_body"])
def test_no_secret_is_shown(model_server: ModelServer, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    model_server.put(faults=[{"kind": kind}])
    caplog.set_level(logging.INFO)
    with pytest.raises(LakehouseError) as raised:
        outcomes(declared("titan"), TEXTS[:1], patience=1.0)
    shown = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(load_model(declared("titan")))
    assert "***" in shown or kind == "error_body"
    assert [secret for secret in SECRETS if secret in shown] == []
