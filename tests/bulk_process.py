"""A try of the purchase in bulk in a process of its own, which is killed (SIGKILL) while the service keeps it waiting in a given call."""

import os
import time
from collections.abc import Mapping
from multiprocessing import get_context
from typing import Any

from embedding_lakehouse.steps.embed_documents.bulk_buying import buy_in_bulk
from tests.model_fixtures import ModelServer

PRELOADED = ["tests.bulk_process", "airflow.providers.openai.hooks.openai", "airflow.providers.apache.iceberg.hooks.iceberg"]
SECONDS = 120


def killed_in(call: str, server: ModelServer, shard: Mapping[str, Any], environment: Mapping[str, str]) -> int | None:
    """Begin to buy a shard, kill the process when it waits in `call`; its exit code."""
    processes = get_context("forkserver")
    processes.set_forkserver_preload(PRELOADED)
    before = server.calls()[call]
    process = processes.Process(target=_buy, args=(dict(shard), dict(environment)))
    process.start()
    deadline = time.monotonic() + SECONDS
    while server.calls()[call] == before and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    # What was asked for is done by the service a moment after it has counted the call.
    time.sleep(0.5)
    process.kill()
    process.join()
    return process.exitcode


def _buy(shard: dict[str, Any], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    buy_in_bulk(**shard)
