"""`python -m embedding_lakehouse explain`, on its standard output and error output."""

import json
import os
import subprocess
import sys
from datetime import datetime

import pytest

from embedding_lakehouse.core.hashing import chunk_id, content_hash
from tests.batches import BatchRun
from tests.integration.retrieval.conftest import History

TEXT, NEWER = f"Whales sing [loud].\n\nThey eat krill:\t{'krill ' * 20}end.", "Whales hum."
RECORD, NEVER = chunk_id("[a].md", "Whales sing [loud]."), "0" * 64


@pytest.fixture(scope="module")
def answered(history: History) -> tuple[datetime, BatchRun]:
    """When an answer was given from a document that was edited since, and the batch behind it."""
    run = history.embed({"[a].md": TEXT})
    moment = history.now()
    history.embed({"[a].md": NEWER})
    return moment, run


def ask(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "embedding_lakehouse", "explain", *arguments]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True)


def test_json_has_the_receipt_of_the_time_of_the_answer(answered: tuple[datetime, BatchRun]) -> None:
    said = ask(RECORD, "--at", answered[0].isoformat(), "--text", "--json")
    (receipt,) = json.loads(said.stdout)["receipts"]
    assert (said.returncode, receipt["version"]["document_text"]) == (0, TEXT)
    assert [release["content_hash"] for release in receipt["releases"]] == [content_hash(TEXT)]
    assert datetime.fromisoformat(receipt["batch"]["published_at"]) <= answered[0]


def test_an_unknown_id_fails_with_its_reason_and_the_others_are_shown(answered: tuple[datetime, BatchRun]) -> None:
    said = ask(RECORD, NEVER)
    assert (said.returncode, RECORD in said.stdout) == (1, True)
    assert f"unknown record {NEVER}: it was never published" in said.stderr


def test_what_is_shown_names_document_version_batch_run_and_what_became_of_it(answered: tuple[datetime, BatchRun]) -> None:
    said = ask(RECORD, "--text")
    shown = " ".join(said.stdout.split())
    for part in (
        "[a].md",
        content_hash(TEXT),
        str(answered[1].row["source_snapshot"]),
        answered[1].batch_id,
        "embed_documents a run",
        f"the source holds version {content_hash(NEWER)}",
        "in no release of the index",
    ):
        assert part in shown
    assert TEXT in said.stdout
