"""A priced batch of a profile that buys in bulk, and the way through it: every shard put, waited for as in the triggerer, and collected."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.bulk_trigger import BulkTrigger
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.steps.embed_documents import bulk_buying
from embedding_lakehouse.steps.embed_documents.bulk_buying import Waiting
from tests.batches import BatchRun
from tests.lake_fixtures import SavedLake

OPENAI = """
[profiles.openai]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "openai-v1"
dimensions = 64
usd_per_million_tokens = 1000
chunking = {{ strategy = "structure", max_characters = 60 }}
batch = {{ checkpoint_chunks = 2, shard_tokens = 100 }}
bulk = {{ above_texts = {above_texts}, poll_seconds = 0.01, wait_hours = {wait_hours}, texts_per_job = {texts_per_job} }}
limits = {{ tokens_per_input = 30 }}
"""
BAD = "This section holds POISON for every model."
TEXTS = [f"Section {number} has its own words in all its text." for number in range(24)]
DOCUMENTS = {
    "bad": BAD,
    **{f"d{number}": "\n\n".join(TEXTS[number * 3 : number * 3 + 3]) for number in range(8)},
    "copy": TEXTS[0],
}

Shard = dict[str, Any]


def openai_profile(above_texts: int = 10, wait_hours: float = 24, texts_per_job: int = 50_000) -> str:
    """The profile's table."""
    return OPENAI.format(above_texts=above_texts, wait_hours=wait_hours, texts_per_job=texts_per_job)


@dataclass(frozen=True)
class PricedBatch:
    """A batch that was priced, to begin with again and again, and the lake's state once it was bought at the usual price."""

    saved: SavedLake
    result: dict[str, Any]
    bought_directly: dict[str, Any]

    def again(self) -> BatchRun:
        """The run that was stopped after its price."""
        return BatchRun(self.saved.restore(), "openai", load_model(settings.profile("openai")), result=dict(self.result))


def bulk_shards(run: BatchRun) -> list[Shard]:
    """The shards that are bought in bulk."""
    return bulk_buying.plan_bulk(run.result["price"], run.lake)


def waited(waiting: Waiting) -> None:
    """Wait as the triggerer does: the trigger is made anew of what Airflow keeps of it."""

    async def first_event() -> None:
        _, arguments = BulkTrigger(**waiting._asdict()).serialize()
        await anext(aiter(BulkTrigger(**arguments).run()))

    asyncio.run(first_event())


def buy_shard(lake: Lake, shard: Shard, between: Callable[[], Any] = lambda: None) -> dict[str, int]:
    """Buy a shard to its end; what the last call staged."""
    while isinstance(found := bulk_buying.buy_in_bulk(**shard, lake=lake), Waiting):
        between()
        waited(found)
    return found


def buy_all(run: BatchRun) -> None:
    """Put every shard's jobs, then collect them one shard after the other."""
    for shard in bulk_shards(run):
        bulk_buying.buy_in_bulk(**shard, lake=run.lake)
    for shard in bulk_shards(run):
        buy_shard(run.lake, shard)


def finish(run: BatchRun) -> None:
    """What comes after the purchase in bulk."""
    run.result["embed"] = run.embed()
    run.commit()
    run.publish()
