"""The real OpenAI client against a server that answers like OpenAI: vectors, limits, faults, and whose fault a refusal is."""

import logging
import traceback

import numpy as np
import pytest

from dev.model_server.vectors import tokens_of, vector_of
from embedding_lakehouse.clients.canaries import embed_canaries
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.models.asking import PLAIN_WORD, embed_question
from embedding_lakehouse.clients.models.embedder import Bought, Embedder, Outcome, Rejection
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tokens import estimated_tokens
from embedding_lakehouse.errors import ConfigurationError, LakehouseError, TransientError
from tests.model_fixtures import SECRETS, ModelServer, declared

TEXTS = [f"The text of number {number}, {'and more of it, ' * (number % 5)}and no more." for number in range(40)]


def outcomes(profile: Profile, texts: list[str], patience: float = 20.0, **options: int) -> dict[int, Outcome]:
    """What became of each text, by its position."""
    found = [outcome for some in Embedder(profile, load_model(profile), patience=patience, **options).embed(texts) for outcome in some]
    assert len({outcome.position for outcome in found}) == len(found)
    return {outcome.position: outcome for outcome in found}


def assert_bought(found: dict[int, Outcome], texts: list[str], positions: list[int]) -> None:
    """These positions, and no other, have the vector of their text."""
    assert sorted(position for position, outcome in found.items() if isinstance(outcome, Bought)) == positions
    for position in positions:
        outcome = found[position]
        assert isinstance(outcome, Bought)
        np.testing.assert_allclose(outcome.vector, vector_of(texts[position], len(outcome.vector)), atol=1e-6)


def test_every_text_gets_its_own_vector_over_requests_side_by_side(model_server: ModelServer) -> None:
    found = outcomes(declared("openai", limits={"inputs_per_request": 7}), TEXTS)
    assert_bought(found, TEXTS, list(range(40)))
    requests, texts = model_server.asked()
    assert (sorted(request.inputs for request in requests), set(texts.values())) == ([5, 7, 7, 7, 7, 7], {1})


def test_the_tokens_are_those_that_the_service_counted(model_server: ModelServer) -> None:
    found = outcomes(declared("openai"), TEXTS)
    assert sum(outcome.token_count for outcome in found.values() if isinstance(outcome, Bought)) == sum(map(tokens_of, TEXTS))


def test_no_request_is_above_a_limit(model_server: ModelServer) -> None:
    outcomes(declared("openai", limits={"inputs_per_request": 6, "tokens_per_request": 60}), TEXTS)
    requests, _ = model_server.asked()
    assert max(request.inputs for request in requests) <= 6
    assert max(request.tokens for request in requests) <= 60


def test_a_text_is_not_split_for_the_size_of_a_request(model_server: ModelServer) -> None:
    long = "word " * 500
    assert_bought(outcomes(declared("openai", limits={"tokens_per_request": 20}), [long]), [long], [0])


def test_an_embedder_may_be_asked_more_than_once(model_server: ModelServer) -> None:
    profile = declared("openai")
    embedder = Embedder(profile, load_model(profile))
    assert [len([one for some in embedder.embed(TEXTS) for one in some]) for _ in range(2)] == [40, 40]


def test_the_dimensions_are_asked_for(model_server: ModelServer) -> None:
    found = outcomes(declared("openai", dimensions=64), TEXTS[:1])
    assert_bought(found, TEXTS, [0])


def test_a_server_that_knows_no_dimensions_is_not_asked_for_them(model_server: ModelServer) -> None:
    found = outcomes(declared("openai", dimensions=1_536, options=(("send_dimensions", False),)), TEXTS[:1])
    assert_bought(found, TEXTS, [0])


def test_prefixes_stand_before_documents_and_questions(model_server: ModelServer) -> None:
    profile = declared("openai", document_prefix="passage: ", question_prefix="query: ")
    assert profile.model_text("A") == "passage: A"
    np.testing.assert_allclose(embed_question(profile, load_model(profile), "A"), vector_of("query: A", 256), atol=1e-6)


@pytest.mark.parametrize("kind", ["throttled", "server_error", "cut", "garbage", "too_few", "nan"])
def test_what_passes_is_waited_out(model_server: ModelServer, kind: str) -> None:
    model_server.put(faults=[{"kind": kind, "times": 2, "headers": {"retry-after-ms": "50"}}])
    assert_bought(outcomes(declared("openai"), TEXTS), TEXTS, list(range(40)))
    requests, _ = model_server.asked()
    # One request at last, and each failed one but once: the client adds no tries of its own.
    assert len(requests) == (1 if kind == "cut" else 3)


def test_the_server_s_own_delay_is_kept(model_server: ModelServer) -> None:
    model_server.put(faults=[{"kind": "throttled", "times": 1, "headers": {"retry-after": "1"}}])
    outcomes(declared("openai"), TEXTS[:1])
    first, second = model_server.asked()[0]
    assert second.at - first.at >= 1


FINAL = {
    "quota": ({}, "the account behind the connection openai_default has used up its quota"),
    "unauthorized": ({}, "refuses the API key of the connection openai_default"),
}


@pytest.mark.parametrize(("kind", "case"), FINAL.items(), ids=FINAL)
def test_what_a_person_must_mend_is_asked_once(model_server: ModelServer, kind: str, case: tuple[dict, str]) -> None:
    model_server.put(faults=[{"kind": kind}])
    with pytest.raises(ConfigurationError, match=case[1]):
        outcomes(declared("openai"), TEXTS)
    assert len(model_server.asked()[0]) == 1


MISTAKES = {
    "a model that does not exist": (
        {"model_name": "text-embedding-9"},
        "there is no model 'text-embedding-9' behind the connection openai_default",
    ),
    "too many dimensions": ({"dimensions": 2_000}, "refuses the profile's settings: .*'dimensions' = 2000"),
    "another key": ({"connection": "openai_other_key"}, "refuses the API key of the connection openai_other_key"),
    "no key": ({"connection": "openai_no_key"}, "the connection openai_no_key has no password"),
    "no connection": ({"connection": "openai_missing"}, "there is no connection openai_missing: add one of type openai"),
}


@pytest.mark.parametrize(("changes", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_of_the_profile_is_named(model_server: ModelServer, changes: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        outcomes(declared("openai", **changes), TEXTS)


SOMETHING_ELSE = "answered something else than vectors under profile 'openai' behind the connection openai_default"
WRONG = {
    "nan": (TransientError, "answered a vector with NaN or infinity under profile 'openai'"),
    "too_few": (TransientError, "answered 39 vectors for 40 texts of profile 'openai'"),
    "wrong_dimension": (ConfigurationError, r"answers vectors of \(255,\) dimensions, the profile declares 256"),
    "error_body": (TransientError, rf"{SOMETHING_ELSE} \(ValueError: no vectors, and the error .*\*\*\*"),
    "null_vector": (TransientError, SOMETHING_ELSE),
    "half_vector": (TransientError, SOMETHING_ELSE),
}


@pytest.mark.parametrize(("kind", "case"), WRONG.items(), ids=WRONG)
def test_a_model_that_is_wrong_about_plain_text_as_well_is_given_up(
    model_server: ModelServer, kind: str, case: tuple[type[LakehouseError], str]
) -> None:
    error, message = case
    model_server.put(faults=[{"kind": kind}])
    with pytest.raises(error, match=message):
        outcomes(declared("openai"), TEXTS)
    # What a person must mend is not asked for again.
    tries = 1 if error is ConfigurationError else 3
    assert [request.inputs for request in model_server.asked()[0]] == [40] * tries + [1]


def test_what_a_service_was_busy_over_is_no_wrong_answer(model_server: ModelServer) -> None:
    model_server.put(faults=[{"kind": "server_error", "times": 2}, {"kind": "nan", "times": 2}])
    assert_bought(outcomes(declared("openai"), TEXTS[:1]), TEXTS, [0])
    assert len(model_server.asked()[0]) == 5


def test_a_server_that_nobody_answers_for_is_given_up_after_the_patience(model_server: ModelServer) -> None:
    with pytest.raises(TransientError, match=r"text-embedding-3-small did not answer \(APIConnectionError"):
        outcomes(declared("openai", connection="openai_nobody"), TEXTS, patience=0.5)


def test_a_poisoned_text_is_rejected_alone(model_server: ModelServer) -> None:
    model_server.put(poison="POISON")
    texts = [*TEXTS[:13], "POISON", *TEXTS[14:30], "more POISON", *TEXTS[31:]]
    found = outcomes(declared("openai"), texts)
    assert_bought(found, texts, [position for position in range(40) if position not in (13, 30)])
    rejected = [outcome for outcome in found.values() if isinstance(outcome, Rejection)]
    assert {(one.position, one.code) for one in rejected} == {(13, "refused"), (30, "refused")}
    assert "(status 400): '$.input' is invalid" in rejected[0].reason
    assert set(model_server.asked()[1].values()) == {1}


@pytest.mark.parametrize("kind", [*WRONG, "server_error"])
def test_a_text_that_never_gets_a_vector_is_rejected_alone(model_server: ModelServer, kind: str) -> None:
    model_server.put(poison="POISON", poison_as=kind)
    texts = [*TEXTS[:7], "some POISON for the model", *TEXTS[8:12]]
    found = outcomes(declared("openai"), texts, patience=0.5)
    assert_bought(found, texts, [position for position in range(12) if position != 7])
    rejected = found[7]
    assert isinstance(rejected, Rejection)
    assert rejected.code == "refused"
    assert rejected.reason.startswith("plain text has a vector and this has none: text-embedding-3-small")
    assert [secret for secret in SECRETS if secret in rejected.reason] == []
    assert len(model_server.asked()[0]) < 40


def test_plain_text_is_as_long_as_the_text_in_question(model_server: ModelServer) -> None:
    model_server.put(poison="POISON", poison_as="nan")
    long = f"POISON {'and more of it ' * 20}"
    outcomes(declared("openai"), [long])
    (plain,) = (text for text in model_server.asked()[1] if "POISON" not in text)
    assert (set(plain.split()), 0.9 < len(plain) / len(long) < 1.1) == ({PLAIN_WORD}, True)


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1]], ids=["many", "one"])
def test_an_outage_that_ended_is_laid_to_no_text(model_server: ModelServer, texts: list[str]) -> None:
    model_server.put(faults=[{"kind": "nan", "times": 3}])
    assert_bought(outcomes(declared("openai"), texts), texts, list(range(len(texts))))
    assert [request.inputs for request in model_server.asked()[0]] == [len(texts)] * 3 + [1, len(texts)]


def test_an_outage_that_goes_on_is_waited_out(model_server: ModelServer) -> None:
    model_server.put(faults=[{"kind": "server_error", "times": 6}])
    assert_bought(outcomes(declared("openai"), TEXTS), TEXTS, list(range(40)))
    assert [request.inputs for request in model_server.asked()[0]] == [40, 40, 40, 1, 40, 40, 40]


def test_a_server_that_numbers_no_vectors_shows_them_in_the_order_of_the_texts(model_server: ModelServer) -> None:
    model_server.put(faults=[{"kind": "no_index"}])
    assert_bought(outcomes(declared("openai"), TEXTS), TEXTS, list(range(40)))


def test_a_vector_that_may_be_another_text_s_is_not_taken(model_server: ModelServer) -> None:
    model_server.put(faults=[{"kind": "doubled_index"}])
    with pytest.raises(TransientError, match="the indexes are not those of the texts"):
        load_model(declared("openai")).embed(TEXTS[:4])
    assert_bought(outcomes(declared("openai"), TEXTS[:6]), TEXTS, list(range(6)))


def test_tokens_that_the_service_does_not_count_are_estimated(model_server: ModelServer) -> None:
    model_server.put(faults=[{"kind": "no_count"}])
    found = outcomes(declared("openai"), TEXTS)
    assert [found[position].token_count for position in range(40)] == list(map(estimated_tokens, TEXTS))


@pytest.mark.parametrize("kind", ["nan", "null_vector"])
def test_a_question_and_a_canary_are_asked_for_again_and_then_given_up_by_name(model_server: ModelServer, kind: str) -> None:
    profile = declared("openai")
    model_server.put(faults=[{"kind": kind, "times": 2}])
    np.testing.assert_allclose(embed_question(profile, load_model(profile), "A"), vector_of("A", 256), atol=1e-6)
    model_server.put(faults=[{"kind": kind}])
    with pytest.raises(TransientError, match="under profile 'openai'"):
        embed_question(profile, load_model(profile), "A")
    with pytest.raises(TransientError, match="under profile 'openai'"):
        embed_canaries(profile, load_model(profile))


def test_a_model_that_takes_nothing_is_not_the_texts_fault(model_server: ModelServer) -> None:
    model_server.put(inputs_per_request=-1)
    with pytest.raises(ConfigurationError, match=r"takes no text at all under profile 'openai': .*array too long"):
        outcomes(declared("openai"), TEXTS)


def test_a_text_over_the_limit_is_split_and_its_vector_is_the_mean_by_tokens(model_server: ModelServer) -> None:
    long = " ".join(f"Sentence {number} says that it is the one of number {number}." for number in range(12))
    found = outcomes(declared("openai", limits={"tokens_per_input": 50}), [TEXTS[0], long])
    _, asked = model_server.asked()
    pieces = [text for text in asked if text != TEXTS[0]]
    assert "".join(sorted(pieces, key=long.index)) == long
    assert max(map(tokens_of, pieces)) <= 50
    mean = np.average([vector_of(piece, 256) for piece in pieces], axis=0, weights=[tokens_of(piece) for piece in pieces])
    assert isinstance(found[1], Bought)
    np.testing.assert_allclose(found[1].vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_a_text_over_the_limit_is_rejected_where_the_profile_says_so(model_server: ModelServer) -> None:
    long = "word " * 100
    found = outcomes(declared("openai", limits={"tokens_per_input": 50, "over_limit": "reject"}), [TEXTS[0], long])
    assert_bought(found, [TEXTS[0], long], [0])
    assert found[1] == Rejection(1, "too_long", "the text has about 125 tokens, text-embedding-3-small takes 50")


@pytest.mark.parametrize(("policy", "is_bought"), [("split", True), ("reject", False)])
def test_a_text_that_only_the_service_finds_too_long_follows_the_same_policy(
    model_server: ModelServer, policy: str, is_bought: bool
) -> None:
    model_server.put(tokens_per_input=30)
    found = outcomes(declared("openai", limits={"over_limit": policy}), [TEXTS[0], "word " * 60, TEXTS[2]])
    assert isinstance(found[1], Bought) == is_bought
    assert isinstance(found[0], Bought) and isinstance(found[2], Bought)
    assert is_bought or found[1].code == "too_long"


def test_a_request_that_is_larger_than_was_thought_is_halved(model_server: ModelServer) -> None:
    model_server.put(tokens_per_request=100)
    assert_bought(outcomes(declared("openai"), TEXTS), TEXTS, list(range(40)))
    assert set(model_server.asked()[1].values()) == {1}


def test_what_was_answered_arrives_before_the_error_that_ends_the_rest(model_server: ModelServer) -> None:
    profile = declared("openai", limits={"inputs_per_request": 4, "requests_in_flight": 1})
    arriving = Embedder(profile, load_model(profile), patience=20.0).embed(TEXTS)
    first = next(arriving)
    model_server.put(faults=[{"kind": "quota"}])
    with pytest.raises(ConfigurationError, match="quota"):
        next(arriving)
    assert len(first) == 4


@pytest.mark.parametrize("kind", ["unauthorized", "server_error", "error_body"])
def test_no_key_is_shown(model_server: ModelServer, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    model_server.put(faults=[{"kind": kind}])
    caplog.set_level(logging.DEBUG)
    with pytest.raises(LakehouseError) as raised:
        outcomes(declared("openai"), TEXTS, patience=1.0)
    shown = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(load_model(declared("openai")))
    assert "***" in shown
    assert [secret for secret in SECRETS if secret in shown] == []
