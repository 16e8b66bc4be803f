"""A run of rebuild_index in a process of its own, to be killed in the middle. Forked from a server that has everything imported."""

import os
from multiprocessing import get_context
from multiprocessing.connection import Connection

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import connect
from tests.release_fixtures import Rebuilding

PRELOADED = [
    "tests.rebuild_process",
    "airflow.providers.apache.iceberg.hooks.iceberg",
    "airflow.providers.trino.hooks.trino",
    "pyarrow.parquet",
    "pyiceberg.io.pyarrow",
]


class RebuildProcess:
    """A rebuild of the same index in a process that is about to begin."""

    def __init__(self, rebuilding: Rebuilding, run_id: str) -> None:
        processes = get_context("forkserver")
        processes.set_forkserver_preload(PRELOADED)
        self._receiver, sender = processes.Pipe(duplex=False)
        named = (os.environ["EMBEDDING_LAKEHOUSE_PROFILES"], rebuilding.profile.name, run_id, rebuilding.service)
        self._process = processes.Process(target=_run, args=(*named, sender))
        self._process.start()
        sender.close()
        assert self._receiver.recv() == "begun"

    def wait_for(self, step: str) -> None:
        """Wait until a step was done."""
        while self._receiver.recv() != step:
            continue

    def kill(self) -> None:
        """End it with SIGKILL, here and now."""
        self._process.kill()
        self._process.join()


def _run(profiles: str, profile: str, run_id: str, service: object, sender: Connection) -> None:
    os.environ["EMBEDDING_LAKEHOUSE_PROFILES"] = profiles
    sender.send("begun")
    for step in Rebuilding(connect(), settings.profile(profile), service).rebuilding(run_id=run_id):
        sender.send(step)
