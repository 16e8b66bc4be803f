"""Profiles: every mistake gets a message that names the profile and the setting, and the fingerprint knows what decides a vector."""

import pytest

from embedding_lakehouse.core.profiles import Profile, parse_profiles
from embedding_lakehouse.errors import ConfigurationError

COMPLETE = """
[profiles.docs]
provider = "wordllama"
model_name = "l2_supercat"
model_version = "v1"
dimensions = 256
"""


def parsed(addition: str = "", base: str = COMPLETE) -> Profile:
    return parse_profiles(base + addition, "profiles.toml")["docs"]


def changed(setting: str, value: str) -> Profile:
    """The complete profile with one of its own settings replaced."""
    lines = [line for line in COMPLETE.splitlines() if not line.startswith(f"{setting} =")]
    return parsed(base="\n".join([*lines, f"{setting} = {value}"]))


MISTAKES = {
    "no TOML": ("[profiles", "profiles.toml is not valid TOML"),
    "no profile": ("", "profiles.toml declares no profile"),
    "profiles is a value": ("profiles = 3", "profiles.toml declares no profile"),
    "a profile is a value": ("[profiles]\ndocs = 3", "profile 'docs': 3 must be a table of settings"),
    "a bad name": (COMPLETE.replace("docs", '"Docs and more"'), "profile 'Docs and more': a name has 1 to 63 of a-z"),
    "an unknown setting": (
        COMPLETE + "colour = 1",
        "profile 'docs': unknown setting 'colour'; known are approval, batch, budget, bulk, chunking, connection, dimensions",
    ),
    "a missing setting": (COMPLETE.replace("dimensions = 256", ""), "profile 'docs'.*dimensions"),
    "a wrong type": (COMPLETE.replace("256", '"256"'), "profile 'docs': dimensions = '256' must be of type int"),
    "a boolean for a number": (COMPLETE.replace("256", "true"), "profile 'docs': dimensions = True must be of type int"),
    "no dimensions": (COMPLETE.replace("256", "0"), "profile 'docs': dimensions must be from 1 to 20000"),
    "too many dimensions": (COMPLETE.replace("256", "20001"), "profile 'docs': dimensions must be from 1 to 20000"),
    "an empty model": (COMPLETE.replace("l2_supercat", ""), "profile 'docs': provider, model_name and model_version must not be empty"),
    "an unknown normalisation": (
        COMPLETE + 'text_normalisation = "nfd"',
        "profile 'docs': text_normalisation must be one of none, nfc, nfkc",
    ),
    "a negative price": (COMPLETE + "usd_per_million_tokens = -0.1", "profile 'docs': usd_per_million_tokens must not be negative"),
    "an unknown strategy": (
        COMPLETE + 'chunking = { strategy = "pages" }',
        "profile 'docs': chunking.strategy is 'pages', must be one of structure, words",
    ),
    "a setting of another strategy": (
        COMPLETE + 'chunking = { strategy = "words", max_characters = 9 }',
        "profile 'docs', chunking: unknown setting 'max_characters'; known are overlap, words",
    ),
    "chunks too short": (
        COMPLETE + "chunking = { max_characters = 49 }",
        "profile 'docs': chunking.max_characters must be from 50 to 100000",
    ),
    "all words overlap": (
        COMPLETE + 'chunking = { strategy = "words", words = 40, overlap = 40 }',
        "profile 'docs': chunking.overlap must be from 0 to below chunking.words",
    ),
    "chunking is a value": (COMPLETE + 'chunking = "words"', "profile 'docs', chunking: 'words' must be a table of settings"),
    "a limit for all": (COMPLETE + "batch = 50", "profile 'docs', batch: 50 must be a table of settings"),
    "an unknown metric": (COMPLETE + 'index = { metric = "manhattan" }', "profile 'docs': index.metric must be one of cosine"),
    "a bad index name": (COMPLETE + 'index = { name = "My_Index" }', "profile 'docs': index.name must have at most 45 of a-z"),
    "an unknown limit": (COMPLETE + "batch = { size = 3 }", "profile 'docs', batch: unknown setting 'size'; known are checkpoint_chunks"),
    "a limit of nothing": (COMPLETE + "batch = { documents = 0 }", "profile 'docs': every limit of batch must be positive"),
    "too many shards": (COMPLETE + "batch = { most_shards = 101 }", "profile 'docs': batch.most_shards must be from 1 to 100"),
    "a share above all": (COMPLETE + "batch = { delete_share = 1.1 }", "profile 'docs': batch.delete_share must be from 0 to 1"),
    "bulk of a provider without it": (
        COMPLETE + "bulk = { above_texts = 9 }",
        r"profile 'docs': bulk.above_texts: wordllama sells nothing in bulk; openai does",
    ),
    "bulk below nothing": (COMPLETE + "bulk = { above_texts = -1 }", "profile 'docs': bulk.above_texts must not be negative"),
    "a wait of more than a day": (COMPLETE + "bulk = { wait_hours = 25 }", "bulk.wait_hours must be above 0 and at most 24"),
    "no wait": (COMPLETE + "bulk = { wait_hours = 0 }", "bulk.wait_hours must be above 0 and at most 24"),
    "a share above the price": (COMPLETE + "bulk = { price_share = 1.5 }", "bulk.price_share must be from 0 to 1"),
    "a job of too many texts": (COMPLETE + "bulk = { texts_per_job = 50001 }", "bulk.texts_per_job must be from 1 to 50000"),
    "no look at a job": (COMPLETE + "bulk = { poll_seconds = 0 }", "bulk.poll_seconds must be positive"),
    "an unknown provider": (
        COMPLETE.replace("wordllama", "oracle"),
        "profile 'docs': unknown provider 'oracle'; known are wordllama, .*and a class of your own as package.module:Class",
    ),
    "dimensions that a model does not have": (
        COMPLETE.replace("wordllama", "bedrock_titan").replace("256", "300"),
        "profile 'docs': dimensions must be one of 256, 512, 1024 for bedrock_titan",
    ),
    "a limit of another name": (
        COMPLETE + "limits = { requests_a_day = 3 }",
        "profile 'docs', limits: unknown setting 'requests_a_day'; known are inputs_per_request, most_parallel, over_limit",
    ),
    "a negative limit": (COMPLETE + "limits = { tokens_per_minute = -1 }", "profile 'docs': no limit may be negative"),
    "a limit as text": (
        COMPLETE + 'limits = { tokens_per_minute = "1M" }',
        "profile 'docs', limits: tokens_per_minute = '1M' must be of type int",
    ),
    "a negative approval": (COMPLETE + "approval = { usd = -1.0 }", "profile 'docs': no limit of approval may be negative"),
    "an approval by half a text": (COMPLETE + "approval = { texts = 0.5 }", "profile 'docs', approval: texts = 0.5 must be of type int"),
    "a negative budget": (COMPLETE + "budget = { usd_per_month = -1 }", "profile 'docs': no budget may be negative"),
    "a budget by the week": (
        COMPLETE + "budget = { usd_per_week = 1 }",
        "profile 'docs', budget: unknown setting 'usd_per_week'; known are usd_per_day, usd_per_month",
    ),
    "an unknown policy": (COMPLETE + 'limits = { over_limit = "cut" }', "profile 'docs': limits.over_limit must be one of split, reject"),
    "a text larger than a request": (
        COMPLETE + "limits = { tokens_per_input = 9, tokens_per_request = 8 }",
        "profile 'docs': limits.tokens_per_input must not be above limits.tokens_per_request",
    ),
    "a connection as a number": (COMPLETE + "connection = 5", "profile 'docs': connection = 5 must be of type str"),
    "an option that the provider does not have": (
        COMPLETE + "options = { colour = 1 }",
        "profile 'docs', options: wordllama has no option 'colour'; known are none",
    ),
    "an option of a wrong type": (
        COMPLETE.replace("wordllama", "openai") + 'options = { send_dimensions = "no" }',
        "profile 'docs', options: send_dimensions = 'no' must be of type bool",
    ),
    "an option that holds a table": (
        COMPLETE.replace("wordllama", "my_models:Model") + "options = { colours = [1, 2] }",
        "profile 'docs', options: colours = \\[1, 2\\] must be a string, a number or a boolean",
    ),
    "a shared version": (COMPLETE + COMPLETE.replace("docs", "more"), "2 profiles share model_version 'v1': give each its own"),
}


@pytest.mark.parametrize(("toml", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(toml: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_profiles(toml, "profiles.toml")


def test_the_shipped_profiles_are_right() -> None:
    from embedding_lakehouse.settings import profiles

    assert list(profiles()) == ["wordllama"]


def test_what_is_not_declared_has_its_default() -> None:
    profile = parsed()
    assert (profile.normalise, profile.text_normalisation, profile.chunking_strategy) == (True, "none", "structure(max_characters=1250)")


DECIDING = {
    "provider": '"openai"',
    "model_name": '"another"',
    "model_version": '"v2"',
    "dimensions": "128",
    "normalise": "false",
    "text_normalisation": '"nfc"',
    "chunking": "{ max_characters = 1000 }",
    "document_prefix": '"passage: "',
    "limits": "{ tokens_per_input = 512 }",
}


@pytest.mark.parametrize(("setting", "value"), DECIDING.items(), ids=DECIDING)
def test_a_setting_that_decides_a_vector_changes_the_fingerprint(setting: str, value: str) -> None:
    assert changed(setting, value).fingerprint != parsed().fingerprint


def test_each_setting_of_a_strategy_changes_the_fingerprint() -> None:
    variants = ['"words"', '"words", words = 100', '"words", overlap = 20', '"structure"']
    assert len({parsed(f"chunking = {{ strategy = {variant} }}").fingerprint for variant in variants}) == len(variants)


PACING = {
    "batch": "batch = { documents = 7, delete_share = 0.9 }",
    "index": 'index = { name = "another", metric = "dotproduct", include_text = false }',
    "price": "usd_per_million_tokens = 0.02",
    "approval": "approval = { usd = 1.5, texts = 9 }",
    "budget": "budget = { usd_per_day = 1, usd_per_month = 20 }",
    "rates": "limits = { requests_per_minute = 60, tokens_per_minute = 10000, requests_in_flight = 2, most_parallel = 3 }",
    "the size of a request": "limits = { inputs_per_request = 7, tokens_per_request = 1000 }",
    "a text that is rejected rather than split": 'limits = { over_limit = "reject", tokens_per_input = 512 }',
    "how a large batch is bought": "bulk = { wait_hours = 3, price_share = 0.4, texts_per_job = 100, poll_seconds = 5 }",
    "a connection": 'connection = "openai_of_another_account"',
    "how a question is put": 'question_prefix = "query: "',
    "a default written out": 'chunking = { strategy = "structure", max_characters = 1250 }',
}


@pytest.mark.parametrize("addition", PACING.values(), ids=PACING)
def test_what_does_not_decide_a_vector_leaves_the_fingerprint(addition: str) -> None:
    assert parsed(addition).fingerprint == parsed().fingerprint


def test_an_option_decides_a_vector() -> None:
    own = COMPLETE.replace("wordllama", "my_models:Model")
    assert parsed('options = { style = "short" }', own).fingerprint != parsed(base=own).fingerprint


def test_the_name_leaves_the_fingerprint() -> None:
    renamed = parse_profiles(COMPLETE.replace("docs", "papers"), "profiles.toml")["papers"]
    assert renamed.fingerprint == parsed().fingerprint


def test_the_fingerprint_is_the_same_for_ever() -> None:
    # Rows in the lake carry it: a change here would make every vector of every user count as made under other settings.
    assert parsed().fingerprint == "05de0378dd462d5d"


def test_the_shipped_profile_keeps_its_fingerprint() -> None:
    from embedding_lakehouse.settings import profile

    assert profile("wordllama").fingerprint == "b186af63710c9f7e"


def test_a_provider_s_own_limits_stand_where_the_profile_declares_none() -> None:
    limits = parsed("limits = { inputs_per_request = 16 }", COMPLETE.replace("wordllama", "openai")).model_limits
    assert (limits.inputs_per_request, limits.tokens_per_request, limits.tokens_per_input) == (16, 300_000, 8_192)


def test_a_batch_above_the_declared_size_has_the_bulk_price() -> None:
    profile = parsed("usd_per_million_tokens = 2\nbulk = { above_texts = 100 }", COMPLETE.replace("wordllama", "openai"))
    assert [profile.is_bought_in_bulk(texts) for texts in (0, 100, 101)] == [False, False, True]
    assert [profile.usd_for(3_000_000, in_bulk) for in_bulk in (False, True)] == [6.0, 3.0]


def test_nothing_is_bought_in_bulk_that_is_not_declared_so() -> None:
    assert not parsed().is_bought_in_bulk(10**9)


def test_documents_and_questions_have_their_own_prefixes() -> None:
    profile = parsed('document_prefix = "passage: "\nquestion_prefix = "query: "\ntext_normalisation = "nfkc"')
    assert (profile.model_text("\ufb01"), profile.question_text("\ufb01")) == ("passage: fi", "query: fi")


@pytest.mark.parametrize(("normalisation", "sent"), [("none", "ﬁ e\u0301"), ("nfc", "ﬁ é"), ("nfkc", "fi é")])
def test_the_model_gets_the_normalised_text(normalisation: str, sent: str) -> None:
    assert parsed(f'text_normalisation = "{normalisation}"').model_text("ﬁ e\u0301") == sent
