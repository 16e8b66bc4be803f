"""Runs killed with SIGKILL at every boundary of a step and at random within embed: nothing is lost, and no text is paid for twice.

The real OpenAI client asks a service that counts what it embeds. KILLED_RUNS is the number of runs; KILLED_SEED is the seed of all of
them, to have the same kills again.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev.stack import Stack
from embedding_lakehouse import settings
from embedding_lakehouse.clients.models import EmbeddingModel, load_model
from embedding_lakehouse.core.batches import PRICED
from embedding_lakehouse.core.packing import fit_checkpoint
from tests.batch_process import MODEL, BatchProcess, Moment
from tests.batches import STEPS, run_batch, state_of
from tests.lake_fixtures import SavedLake, StagedBatch, declare
from tests.model_fixtures import ModelServer

RUNS = int(os.environ.get("KILLED_RUNS", "30"))
SEED = int(os.environ.get("KILLED_SEED") or random.randrange(1_000_000))
PROFILE = """
[profiles.paid]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "paid-v1"
dimensions = 16
chunking = {{ strategy = "structure", max_characters = 60 }}
batch = {{ shard_documents = 8, shard_tokens = 200, checkpoint_chunks = {checkpoint} }}
limits = {{ requests_in_flight = {in_flight} }}
"""
TEXTS = 62
ANSWER_S = 0.02
# How long after a request, which takes as long as its answer, a kill may come.
LONGEST_S = 0.1
BOUNDARIES = [Moment(when, step) for step in STEPS[1:] for when in ("before", "after")]

NOTICE = "This notice stands at the end of every new document."
BEFORE = {"a": "Alpha.", "b": "# Beta\n\nThe text of beta.", "c": "Gamma.", "d": "Delta.", "f": "Phi."}
OLD = {"Alpha.", "# Beta\n\nThe text of beta.", "Gamma.", "Delta.", "Phi."}
NEW = {f"new {number}": [f"Text {number} has this as its sentence {part}." for part in range(5)] for number in range(12)}
# An edit, an emptied, a deleted and an unchanged document, copies of an old and of a new one, and a text that all new ones share.
AFTER = {
    "b": f"{BEFORE['b']}\n\n# More\n\nA section that leaves no place for the first one.",
    "c": "",
    "e": BEFORE["a"],
    "f": "Phi.",
    **{doc_id: "\n\n".join([*sentences, NOTICE]) for doc_id, sentences in NEW.items()},
    "copy": "\n\n".join([*NEW["new 0"], NOTICE]),
}


@dataclass(frozen=True)
class KilledRun:
    """One of the runs: the step after which it begins, the moments of its kills, a process each, and its pace, which decides no vector."""

    number: int
    begun_after: str
    kills: list[Moment]
    checkpoint: int
    in_flight: int

    @classmethod
    def of(cls, number: int) -> "KilledRun":
        """The run of a number: the first ones are for the boundaries."""
        draw = random.Random(f"{SEED} {number}")
        pace = draw.choice((3, 8)), draw.choice((1, 4))
        if number < len(BOUNDARIES):
            boundary = BOUNDARIES[number]
            # What is asked of the service lies within the run.
            begun = min(STEPS.index(boundary.what) - 1, STEPS.index("price"))
            return cls(number, STEPS[begun], [boundary], *pace)
        kills = draw.randint(1, 4)
        # So that a kill falls among the requests, however many there are at this pace, and the next ones find some left.
        requests = TEXTS // fit_checkpoint(*pace, 0)[0] // kills
        moments = [Moment("before", MODEL, draw.randint(1, requests), draw.uniform(0.001, LONGEST_S)) for _ in range(kills)]
        return cls(number, "price", moments, *pace)

    def __str__(self) -> str:
        kills = ", ".join(map(str, self.kills))
        return f"run {self.number} of KILLED_SEED={SEED}: checkpoints of {self.checkpoint}, {self.in_flight} in flight, killed {kills}"

    @property
    def profiles(self) -> str:
        """What declares its profile."""
        return PROFILE.format(checkpoint=self.checkpoint, in_flight=self.in_flight)


@pytest.fixture(scope="module")
def paid_batch(trino_stack: Stack, empty_lake: SavedLake, module_profiles: Path, model_process: ModelServer) -> StagedBatch:
    """An undisturbed batch whose texts are bought from the service."""
    declare(module_profiles, KilledRun.of(0).profiles)
    model_process.put()
    return StagedBatch(trino_stack.home, empty_lake, "paid", load_paid, BEFORE, AFTER)


@pytest.fixture(scope="module")
def texts(paid_batch: StagedBatch, model_process: ModelServer) -> set[str]:
    """The texts that the batch has to buy, which an undisturbed run bought once each."""
    bought = model_process.asked()[1]
    assert set(bought.values()) == {1}
    assert len(bought.keys() - OLD) == TEXTS
    return set(bought) - OLD


@pytest.fixture(scope="module")
def totals(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Adds up what the runs went through; shown with their seed once they are over."""
    counts: Counter[str] = Counter()
    yield counts
    shown = ", ".join(f"{count} {what}" for what, count in counts.items())
    with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
        print(f"\nKILLED_SEED={SEED}: {shown}")


def load_paid() -> EmbeddingModel:
    return load_model(settings.profile("paid"))


def was_killed(home: Path, server: ModelServer, moment: Moment, result: dict[str, Any]) -> bool:
    """Go on after the steps that have a `result`, until the moment of the kill; whether it came before the run's end."""
    options = {"profile": "paid", "is_audited": moment.what == "audit", "result": result}
    ended = BatchProcess(home, moment, connections=server.connections(), **options).end()
    assert ended.exit_code in (-signal.SIGKILL, 0), ended.error
    return ended.exit_code == -signal.SIGKILL


@pytest.mark.parametrize("number", range(RUNS), ids=lambda number: f"run {number}")
def test_a_killed_run_loses_nothing_and_pays_for_no_text_twice(
    trino_stack: Stack,
    paid_batch: StagedBatch,
    texts: set[str],
    module_profiles: Path,
    model_server: ModelServer,
    totals: Counter[str],
    number: int,
) -> None:
    run = KilledRun.of(number)
    print(run)
    declare(module_profiles, run.profiles)
    begun = paid_batch.after(run.begun_after)
    model_server.put(answer_s=ANSWER_S)
    kills = within_embed = 0
    for moment in run.kills:
        is_killed = was_killed(trino_stack.home, model_server, moment, begun.result)
        # Later kills may find nothing left to embed.
        assert is_killed or moment.delay, run
        kills += is_killed
        within_embed += is_killed and moment.delay > 0 and begun.row["state"] == PRICED
    run_batch(begun.lake, "paid", load_paid())

    assert state_of(begun.lake) == paid_batch.published, run
    bought = model_server.asked()[1]
    again, allowed = bought.total() - len(texts), run.checkpoint * within_embed
    assert (bought.keys(), again <= allowed) == (texts, True), f"{run}: {again} bought again, {allowed} allowed"
    totals.update({"runs": 1, "kills": kills, "within embed": within_embed, "texts": len(texts), "bought again": again, "allowed": allowed})


def test_a_lost_worker_costs_at_most_a_checkpoint_for_each_of_its_tasks(
    trino_stack: Stack, paid_batch: StagedBatch, texts: set[str], module_profiles: Path, model_server: ModelServer
) -> None:
    draw = random.Random(f"{SEED} worker")
    declare(module_profiles, PROFILE.format(checkpoint=3, in_flight=4))
    begun = paid_batch.after("price")
    model_server.put(answer_s=5 * ANSWER_S)
    # A task for each shard, as Airflow maps them; none goes on after its shard.
    tasks = [
        BatchProcess(
            trino_stack.home,
            Moment("after", "embed"),
            connections=model_server.connections(),
            profile="paid",
            result=begun.result | {"price": [shard]},
        )
        for shard in begun.result["price"]
    ]
    time.sleep(draw.uniform(0, 1))
    for task in tasks:
        task.kill()
    assert {task.end().exit_code for task in tasks} == {-signal.SIGKILL}
    run_batch(begun.lake, "paid", load_paid())

    assert state_of(begun.lake) == paid_batch.published, f"KILLED_SEED={SEED}"
    bought = model_server.asked()[1]
    assert bought.keys() == texts
    assert bought.total() - len(texts) <= 3 * len(tasks), f"KILLED_SEED={SEED}"
