"""Searching the live release with the bundled model, from Python and from the command line."""

import json
import os
import subprocess
import sys

import pytest

from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.errors import InputError
from embedding_lakehouse.retrieval import search
from tests.index_fixtures import Following
from tests.integration.retrieval.conftest import CORPUS
from tests.lake_builder import SOURCE_SNAPSHOT, LakeBuilder

# The bundled model has no smaller vectors.
pytestmark = pytest.mark.parametrize("profile", [256], indirect=True)


def ask(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "embedding_lakehouse", "search", *arguments], env=os.environ, capture_output=True, text=True
    )


def test_a_match_leads_to_its_document_version(filled: Following, builder: LakeBuilder):
    best = search("How hot must the oven be?", top_k=2)[0]
    text = CORPUS["bread.md"][1]
    row = builder.current()[chunk_id("bread.md", text)]
    assert (best.doc_id, best.title, best.text, best.chunk_index) == ("bread.md", "Baking bread", text, 1)
    assert (best.content_hash, best.batch_id, best.source_snapshot) == (row["content_hash"], row["batch_id"], SOURCE_SNAPSHOT)


def test_matches_are_ranked_and_filtered(filled: Following):
    matches = search("What do whales eat?", top_k=10, condition={"doc_id": {"$eq": "whales.md"}})
    assert [match.doc_id for match in matches] == ["whales.md", "whales.md"]
    assert matches[0].score >= matches[1].score


def test_a_text_that_the_index_does_not_keep_comes_from_the_lake(filled: Following, builder: LakeBuilder):
    text = "Whales sing. " * 5_000
    builder.publish({"songs.md": [text]})
    filled.sync()
    (match,) = search("singing", top_k=1, condition={"doc_id": "songs.md"})
    assert match.text == text


@pytest.mark.parametrize("condition", [None, {"doc_id": {"$in": ["whales.md", "bread.md"]}}])
def test_records_of_others_answer_no_question_and_take_no_place(filled: Following, condition: dict | None):
    expected = search("What do whales eat?", top_k=3, condition=condition)
    nearest = filled.index.fetch(filled.namespace, [expected[0].chunk_id])[expected[0].chunk_id].values.tolist()
    others = [("foreign", nearest), ("another model's", nearest, {"doc_id": "whales.md", "model_version": "another"})]
    filled.index._sdk.upsert(vectors=others, namespace=filled.namespace)
    assert search("What do whales eat?", top_k=3, condition=condition) == expected


@pytest.mark.parametrize(("question", "top_k"), [("  ", 5), ("a question", 0), ("a question", 1_001)])
def test_a_question_that_cannot_be_asked_is_refused(profile, question: str, top_k: int):
    with pytest.raises(InputError):
        search(question, top_k)


def test_the_command_line_answers_json(filled: Following):
    answered = ask("How hot must the oven be?", "--top-k", "1", "--json")
    (match,) = json.loads(answered.stdout)
    assert (answered.returncode, match["doc_id"], match["chunk_index"]) == (0, "bread.md", 1)


def test_the_command_line_shows_the_receipt(filled: Following, builder: LakeBuilder):
    shown = ask("How hot must the oven be?", "--filter", '{"doc_id": "bread.md"}').stdout
    current = builder.current()[chunk_id("bread.md", CORPUS["bread.md"][1])]
    for part in (
        "bread.md",
        "Baking bread",
        current["content_hash"][:12],
        current["batch_id"],
        current["model_version"],
        str(SOURCE_SNAPSHOT),
    ):
        assert part in shown


def test_a_profile_without_an_index_is_told_to_set_up(lake, profile):
    answered = ask("a question")
    assert answered.returncode == 1
    assert "set_up_lakehouse" in answered.stderr
