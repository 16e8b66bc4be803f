"""A run of embed_documents in a process of its own, which is killed in a given moment or runs out of disk.

Usage: python -m tests.batch_process HOME [--commit before|after TABLE NUMBER] [--call NUMBER] [--largest-file BYTES]
"""

import argparse
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

from dev.stack import Stack
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import Embedded
from tests.batches import BatchRun, CountingModel
from tests.interruptions import watched_catalog


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class DyingModel(CountingModel):
    """Prints every text that it is asked for; its process is killed when it has answered the `last_call`th time."""

    last_call: int = 0
    calls: int = 0

    def embed(self, texts: list[str]) -> Embedded:
        self.calls += 1
        answer = super().embed(texts)
        print(*map(repr, texts), sep="\n", flush=True)
        if self.calls == self.last_call:
            die()
        return answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--commit", nargs=3, default=("", "", "0"))
    parser.add_argument("--call", type=int, default=0)
    parser.add_argument("--largest-file", type=int, default=resource.RLIM_INFINITY)
    asked = parser.parse_args()
    moment, table, number = asked.commit
    left = [int(number)]

    def watch(now: str, name: str) -> None:
        if (now, name) == (moment, table):
            left[0] -= 1
            if not left[0]:
                die()

    lake = Lake(watched_catalog(Stack(asked.home), watch), connect().sql)
    run = BatchRun(lake, model=DyingModel(last_call=asked.call))
    for step in run.steps():
        if step == "price":
            resource.setrlimit(resource.RLIMIT_FSIZE, (asked.largest_file, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
