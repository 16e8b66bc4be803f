"""A run of embed_documents in a process of its own, which is killed in a given moment or runs out of disk.

Forked from a server that has everything imported, so that a process costs a fraction of a second.
"""

import os
import resource
import signal
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from dev.stack import Stack
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import Embedded
from tests.batches import BatchRun, CountingModel
from tests.interruptions import watched_catalog

PRELOADED = [
    "tests.batch_process",
    "airflow.providers.apache.iceberg.hooks.iceberg",
    "airflow.providers.trino.hooks.trino",
    "pyarrow.parquet",
    "pyiceberg.io.pyarrow",
]


class Moment(NamedTuple):
    """The `number`th time that something happens: `before` or `after` a commit to a table, or `after` the model answered."""

    when: str = "after"
    what: str = ""
    number: int = 1


class Ended(NamedTuple):
    """How a process ended: its exit code (negative for a signal), every text it asked the model for, what it failed with."""

    exit_code: int | None
    bought: list[str]
    error: str


NEVER = Moment()
MODEL = "the model"


@dataclass
class WatchedModel(CountingModel):
    """Tells of every text that it is asked for, and of every answer."""

    watch: Any = None
    bought: Connection | None = None

    def embed(self, texts: list[str]) -> Embedded:
        answer = super().embed(texts)
        self.bought.send(texts)
        self.watch("after", MODEL)
        return answer


class BatchProcess:
    """A run of embed_documents in a process, killed (SIGKILL) in a moment; no file it writes after pricing is larger than `largest`."""

    def __init__(self, home: Path, killed: Moment = NEVER, largest: int = resource.RLIM_INFINITY) -> None:
        processes = get_context("forkserver")
        processes.set_forkserver_preload(PRELOADED)
        self._receiver, sender = processes.Pipe(duplex=False)
        self._process = processes.Process(target=_run, args=(home, os.environ["EMBEDDING_LAKEHOUSE_PROFILES"], killed, largest, sender))
        self._process.start()
        sender.close()
        assert self._receiver.recv() == "begun"

    def kill(self) -> None:
        """Kill it here and now."""
        self._process.kill()

    def end(self) -> Ended:
        """Wait for its end."""
        bought: list[str] = []
        error = ""
        try:
            while True:
                told = self._receiver.recv()
                if isinstance(told, str):
                    error = told
                else:
                    bought += told
        except EOFError:
            self._process.join()
        return Ended(self._process.exitcode, bought, error)


def _run(home: Path, profiles: str, killed: Moment, largest: int, sender: Connection) -> None:
    os.environ["EMBEDDING_LAKEHOUSE_PROFILES"] = profiles
    left = [killed.number]

    def watch(when: str, what: str) -> None:
        if (when, what) == (killed.when, killed.what):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    lake = Lake(watched_catalog(Stack(home), watch), connect().sql)
    run = BatchRun(lake, model=WatchedModel(watch=watch, bought=sender))
    sender.send("begun")
    try:
        for step in run.steps():
            if step == "price":
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    except Exception as error:
        sender.send(f"{type(error).__name__}: {error}")
        raise
