"""A run of embed_documents that is killed with SIGKILL, or whose disk is full: the next run reaches the state of an undisturbed one."""

import random
import re
import signal
import time

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.tables import (
    BATCH_CHUNKS,
    BATCH_DOCUMENTS,
    BATCH_REUSE,
    DOCUMENT_EMBEDDINGS,
    DOCUMENT_VERSIONS,
    EMBEDDING_BATCHES,
)
from tests.batch_process import MODEL, BatchProcess, Moment
from tests.batches import CountingModel, half_written_parts, run_batch, state_of
from tests.lake_fixtures import StagedBatch

pytestmark = pytest.mark.usefixtures("profiles")
CHECKPOINT_TEXTS = 3

# The state in which the killed run begins, and every durable moment from there on.
FROM_THE_CHANGES = [
    Moment("after", EMBEDDING_BATCHES.name),
    Moment("after", BATCH_CHUNKS.name),
    Moment("after", DOCUMENT_VERSIONS.name),
    Moment("before", EMBEDDING_BATCHES.name, 2),
    Moment("after", EMBEDDING_BATCHES.name, 2),
]
FROM_THE_PRICE = [
    *(Moment("after", MODEL, number) for number in (1, 2, 4)),
    Moment("before", DOCUMENT_EMBEDDINGS.name),
    Moment("after", DOCUMENT_EMBEDDINGS.name),
    Moment("after", EMBEDDING_BATCHES.name),
    # The second commit to a table of the record publishes its branch.
    Moment("before", DOCUMENT_EMBEDDINGS.name, 2),
    Moment("after", DOCUMENT_EMBEDDINGS.name, 2),
    Moment("after", DOCUMENT_VERSIONS.name),
    Moment("after", EMBEDDING_BATCHES.name, 2),
    Moment("after", BATCH_DOCUMENTS.name),
    Moment("after", BATCH_REUSE.name),
]
MOMENTS = [("detect", moment) for moment in FROM_THE_CHANGES] + [("price", moment) for moment in FROM_THE_PRICE]


def assert_the_next_run_makes_good(lake: Lake, staged_batch: StagedBatch, bought: list[str]) -> None:
    model = CountingModel()
    run_batch(lake, model=model)
    assert state_of(lake) == staged_batch.published
    assert len(bought + model.texts) <= len(set(bought + model.texts)) + CHECKPOINT_TEXTS


@pytest.mark.parametrize(("begun_at", "moment"), MOMENTS, ids=str)
def test_a_run_that_was_killed_is_made_good_by_the_next(
    trino_stack: Stack, staged_batch: StagedBatch, begun_at: str, moment: Moment
) -> None:
    lake = staged_batch.after(begun_at).lake
    killed = BatchProcess(trino_stack.home, moment).end()
    assert killed.exit_code == -signal.SIGKILL, killed.error
    assert_the_next_run_makes_good(lake, staged_batch, killed.bought)


def test_runs_that_are_killed_at_random_one_after_the_other_end_in_the_same_state(trino_stack: Stack, staged_batch: StagedBatch) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    moments = random.Random(seed)
    lake = staged_batch.after("price").lake
    for _ in range(6):
        killed = BatchProcess(trino_stack.home)
        time.sleep(moments.uniform(0, 2))
        killed.kill()
        killed.end()
    run_batch(lake)
    assert state_of(lake) == staged_batch.published


def test_processes_that_work_on_the_same_batch_at_once_end_in_the_same_state(trino_stack: Stack, staged_batch: StagedBatch) -> None:
    lake = staged_batch.after("price").lake
    tries = [BatchProcess(trino_stack.home) for _ in range(3)]
    assert [one.end().error for one in tries] == ["", "", ""]
    assert state_of(lake) == staged_batch.published


def test_a_full_disk_stops_the_run_and_publishes_nothing(trino_stack: Stack, staged_batch: StagedBatch) -> None:
    lake = staged_batch.after("price").lake
    before = state_of(lake)
    stopped = BatchProcess(trino_stack.home, largest=512).end()
    assert (stopped.exit_code, stopped.error.partition(":")[0]) == (1, "LakehouseError")
    assert re.search(r"could not write .*/document_embeddings/.*\.parquet: .*File too large", stopped.error)
    assert state_of(lake) == before
    assert_the_next_run_makes_good(lake, staged_batch, stopped.bought)


def test_a_full_disk_leaves_no_half_written_part(trino_stack: Stack, staged_batch: StagedBatch) -> None:
    staged_batch.after("price")
    before = half_written_parts(trino_stack.home)
    BatchProcess(trino_stack.home, largest=512).end()
    assert half_written_parts(trino_stack.home) == before
