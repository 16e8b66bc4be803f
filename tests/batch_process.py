"""A run of embed_documents in a process of its own, which is killed in a given moment or runs out of disk.

Forked from a server that has everything imported, so that a process costs a fraction of a second.
"""

import os
import resource
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from dev.stack import Stack
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import Embedded, EmbeddingModel, load_model
from tests.batches import BatchRun, CountingModel
from tests.interruptions import watched_catalog

PRELOADED = [
    "tests.batch_process",
    "airflow.providers.apache.iceberg.hooks.iceberg",
    "airflow.providers.openai.hooks.openai",
    "airflow.providers.trino.hooks.trino",
    "embedding_lakehouse.clients.models.openai",
    "pyarrow.parquet",
    "pyiceberg.io.pyarrow",
]


class Moment(NamedTuple):
    """`delay` seconds past the `number`th time that something happens: `before` or `after` a step, a commit or a request."""

    when: str = "after"
    what: str = ""
    number: int = 1
    delay: float = 0.0

    def __str__(self) -> str:
        return " ".join(map(str, self[:3] if self.number > 1 else self[:2])) + (f" {self.delay:.3f} s" if self.delay else "")


class Ended(NamedTuple):
    """How a process ended: its exit code (negative for a signal), every text it asked the model for, what it failed with."""

    exit_code: int | None
    bought: list[str]
    error: str


NEVER = Moment()
MODEL = "the model"
PROFILES = "EMBEDDING_LAKEHOUSE_PROFILES"


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


@dataclass
class WatchedService:
    """A profile's own model that tells of every request, before it is put."""

    model: EmbeddingModel
    watch: Any

    def embed(self, texts: list[str]) -> Embedded:
        self.watch("before", MODEL)
        return self.model.embed(texts)


class BatchProcess:
    """A run of embed_documents in a process, killed (SIGKILL) in a moment; no file it writes after pricing is larger than `largest`.

    `options` are those of the run. With `connections` (Airflow's, as environment variables) the profile's own model is asked, without
    them one that counts.
    """

    def __init__(
        self,
        home: Path,
        killed: Moment = NEVER,
        largest: int = resource.RLIM_INFINITY,
        connections: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        processes = get_context("forkserver")
        processes.set_forkserver_preload(PRELOADED)
        self._receiver, sender = processes.Pipe(duplex=False)
        environment = {PROFILES: os.environ[PROFILES], **(connections or {})}
        watched = Watched(killed, sender, has_own_model=connections is not None)
        self._process = processes.Process(target=_run, args=(home, environment, watched, largest, options))
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


@dataclass
class Watched:
    """The moment in which the process is killed, where it tells of what it asks for, and whether it asks the profile's own model."""

    killed: Moment
    sender: Connection
    has_own_model: bool

    def __post_init__(self) -> None:
        self._left = self.killed.number

    def __call__(self, when: str, what: str) -> None:
        if (when, what) == (self.killed.when, self.killed.what):
            self._left -= 1
            if not self._left:
                self._kill()

    def model(self, profile: str) -> EmbeddingModel:
        """The model that the run asks."""
        if self.has_own_model:
            return WatchedService(load_model(settings.profile(profile)), self)
        return WatchedModel(watch=self, bought=self.sender)

    def _kill(self) -> None:
        if self.killed.delay:
            later = threading.Timer(self.killed.delay, os.kill, (os.getpid(), signal.SIGKILL))
            later.daemon = True
            later.start()
        else:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class WatchedRun(BatchRun):
    """Tells when a step begins and when it is done; what has a result already is not done again, as in a run that Airflow goes on with."""

    watch: Any = None

    def done(self, step: str) -> Any:
        if step in self.result:
            return self.result[step]
        self.watch("before", step)
        result = super().done(step)
        self.watch("after", step)
        return result


def _run(home: Path, environment: Mapping[str, str], watched: Watched, largest: int, options: dict[str, Any]) -> None:
    os.environ.update(environment)
    lake = Lake(watched_catalog(Stack(home), watched), connect().sql)
    profile = options.get("profile", "small")
    run = WatchedRun(lake, model=watched.model(profile), watch=watched, **options)
    watched.sender.send("begun")
    try:
        for step in run.steps():
            if step == "price":
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    except Exception as error:
        watched.sender.send(f"{type(error).__name__}: {error}")
        raise
