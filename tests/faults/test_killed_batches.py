"""A run of embed_documents that is killed with SIGKILL, or whose disk is full: the next run reaches the state of an undisturbed one."""

import os
import random
import signal
import subprocess
import sys
import time
from ast import literal_eval
from pathlib import Path

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.tables import BATCH_CHUNKS, BATCH_REUSE, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, EMBEDDING_BATCHES
from tests.batches import CountingModel, put_documents, run_batch, state_of
from tests.lake_fixtures import AFTER, BEFORE, StagedBatch

ROOT = Path(__file__).parents[2]
CHECKPOINT_TEXTS = 3
# The second commit to a table of the record is the publishing of its branch.
MOMENTS = [
    ("after", EMBEDDING_BATCHES, 1),
    ("after", BATCH_CHUNKS, 1),
    ("after", DOCUMENT_VERSIONS, 1),
    ("before", EMBEDDING_BATCHES, 2),
    ("before", DOCUMENT_EMBEDDINGS, 1),
    ("after", DOCUMENT_EMBEDDINGS, 1),
    ("before", DOCUMENT_EMBEDDINGS, 2),
    ("after", DOCUMENT_EMBEDDINGS, 2),
    ("after", DOCUMENT_VERSIONS, 2),
    ("after", BATCH_REUSE, 1),
]


@pytest.fixture
def changed(staged_batch: StagedBatch, lake: Lake) -> Lake:
    """A lake with one published batch, whose source changed since."""
    put_documents(lake, BEFORE)
    run_batch(lake)
    put_documents(lake, AFTER)
    return lake


def start(stack: Stack, *options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.batch_process", str(stack.home), *map(str, options)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/include:{ROOT}"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def texts_of(printed: str) -> list[str]:
    return [literal_eval(line) for line in printed.splitlines() if line.startswith(("'", '"'))]


def assert_the_next_run_makes_good(lake: Lake, staged_batch: StagedBatch, bought: list[str]) -> None:
    model = CountingModel()
    run_batch(lake, model=model)
    assert state_of(lake) == staged_batch.published
    assert len(bought + model.texts) <= len(set(bought + model.texts)) + CHECKPOINT_TEXTS


@pytest.mark.parametrize(("moment", "table", "number"), MOMENTS, ids=lambda value: getattr(value, "name", str(value)))
def test_killed_at_a_commit(trino_stack: Stack, changed: Lake, staged_batch: StagedBatch, moment: str, table, number: int) -> None:
    killed = start(trino_stack, "--commit", moment, table.name, number)
    printed, errors = killed.communicate()
    assert killed.returncode == -signal.SIGKILL, errors
    assert_the_next_run_makes_good(changed, staged_batch, texts_of(printed))


@pytest.mark.parametrize("call", [1, 3])
def test_killed_while_it_embeds(trino_stack: Stack, changed: Lake, staged_batch: StagedBatch, call: int) -> None:
    killed = start(trino_stack, "--call", call)
    printed, errors = killed.communicate()
    assert killed.returncode == -signal.SIGKILL, errors
    assert_the_next_run_makes_good(changed, staged_batch, texts_of(printed))


def test_killed_at_random_moments_one_run_after_the_other(trino_stack: Stack, changed: Lake, staged_batch: StagedBatch) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    moments = random.Random(seed)
    for _ in range(3):
        killed = start(trino_stack)
        time.sleep(moments.uniform(1.5, 8))
        killed.kill()
        killed.communicate()
    run_batch(changed)
    assert state_of(changed) == staged_batch.published


def test_a_full_disk_stops_the_run_and_publishes_nothing(trino_stack: Stack, changed: Lake, staged_batch: StagedBatch) -> None:
    before = state_of(changed)
    stopped = start(trino_stack, "--largest-file", 512)
    printed, errors = stopped.communicate()
    assert stopped.returncode == 1
    assert "File too large" in errors
    assert state_of(changed) == before
    assert_the_next_run_makes_good(changed, staged_batch, texts_of(printed))
