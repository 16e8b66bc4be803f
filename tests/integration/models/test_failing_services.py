"""Whole runs whose service begins to fail: the message says what to mend, main stays as it was, and what was bought before is kept."""

import re
from pathlib import Path

import pytest

from dev.stack import Stack
from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.parts import read_parts
from embedding_lakehouse.clients.staged_batches import staged_files
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.errors import ConfigurationError, LakehouseError, TransientError
from tests.batches import BatchRun, current_chunks, half_written_parts, put_documents, run_batch, state_of
from tests.blocked_batch import heads
from tests.lake_fixtures import declare
from tests.model_fixtures import ModelServer

PROFILES = """
[profiles.openai]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "openai-v1"
dimensions = 64
chunking = { strategy = "structure", max_characters = 60 }
batch = { checkpoint_chunks = 2, shard_tokens = 20 }

[profiles.titan]
provider = "bedrock_titan"
model_name = "amazon.titan-embed-text-v2:0"
model_version = "titan-v1"
dimensions = 256
chunking = { strategy = "structure", max_characters = 60 }
batch = { checkpoint_chunks = 2, shard_tokens = 20 }
"""
TEXTS = {f"Section {number} has nothing bad in all its text." for number in range(8)}
DOCUMENTS = {"a": "\n\n".join(sorted(TEXTS))}
# So many requests are answered well before the fault begins.
WELL = 3

MISSING_MODEL = "behind the connection {}: correct model_name of profile '{}', or have the model opened to the account"
FAULTS = {
    ("openai", "unauthorized"): (ConfigurationError, "refuses the API key of the connection openai_default: put a valid one there"),
    ("openai", "quota"): (ConfigurationError, "the account behind the connection openai_default has used up its quota: raise it"),
    ("openai", "no_model"): (ConfigurationError, MISSING_MODEL.format("openai_default", "openai")),
    ("openai", "wrong_dimension"): (
        ConfigurationError,
        "answers vectors of (63,) dimensions, the profile declares 64: declare a profile beside 'openai' that has the model's length",
    ),
    ("openai", "nan"): (
        TransientError,
        "answered a vector with NaN or infinity under profile 'openai': where it stays so, ask whoever serves the model",
    ),
    ("titan", "unauthorized"): (
        ConfigurationError,
        "refuses the credentials of the connection aws_default: put valid ones there (ExpiredTokenException",
    ),
    ("titan", "no_model"): (ConfigurationError, MISSING_MODEL.format("aws_default", "titan")),
}


@pytest.fixture
def lake(lake: Lake, profiles: Path, model_server: ModelServer) -> Lake:
    """A lake whose documents wait to be embedded, and a service that was not asked yet."""
    declare(profiles, PROFILES)
    put_documents(lake, DOCUMENTS)
    return lake


def run(lake: Lake, profile: str, **options: bool) -> BatchRun:
    """A whole run with the profile's own model."""
    return run_batch(lake, profile, load_model(settings.profile(profile)), **options)


def staged_texts(lake: Lake, batch_id: str) -> list[str]:
    """The texts that were staged for a batch."""
    parts = read_parts(lake.table(DOCUMENT_EMBEDDINGS), staged_files(lake, batch_id), ["chunk_text"])
    return [text for part in parts for text in part["chunk_text"].to_pylist()]


@pytest.mark.parametrize(("profile", "kind"), FAULTS, ids=map(" ".join, FAULTS))
def test_what_was_bought_before_a_fault_is_kept_and_the_next_run_buys_the_rest(
    lake: Lake, model_server: ModelServer, trino_stack: Stack, profile: str, kind: str
) -> None:
    error, message = FAULTS[profile, kind]
    before = heads(lake), state_of(lake), half_written_parts(trino_stack.home)
    model_server.put(faults=[{"kind": kind, "after": WELL}])
    with pytest.raises(error, match=re.escape(message)):
        run(lake, profile)

    assert (heads(lake), state_of(lake), half_written_parts(trino_stack.home)) == before
    (failed,) = batches.journal(lake).rows()
    kept = staged_texts(lake, failed["batch_id"])
    assert (failed["state"], len(kept), len(set(kept))) == ("priced", WELL, WELL)

    model_server.put()
    done = run(lake, profile)
    assert (done.batch_id, done.row["state"]) == (failed["batch_id"], "published")
    assert {text for _, text, _ in current_chunks(lake, profile).values()} == TEXTS
    assert model_server.asked()[1] == dict.fromkeys(TEXTS - set(kept), 1)


def test_a_misspelt_model_stops_the_run_and_the_corrected_profile_says_how_to_go_on(
    lake: Lake, profiles: Path, model_server: ModelServer
) -> None:
    before = heads(lake), state_of(lake)
    declare(profiles, PROFILES.replace("text-embedding-3-small", "text-embedding-9"))
    with pytest.raises(
        LakehouseError, match=r"there is no model 'text-embedding-9' behind the connection openai_default: correct model_name"
    ):
        run(lake, "openai")
    declare(profiles, PROFILES)
    with pytest.raises(ConfigurationError, match=r"begun under other settings of profile 'openai'.*discard_open"):
        run(lake, "openai")
    assert (heads(lake), state_of(lake)) == before

    run(lake, "openai", discard_open=True)
    assert {text for _, text, _ in current_chunks(lake, "openai").values()} == TEXTS
    assert model_server.asked()[1] == dict.fromkeys(TEXTS, 1)
