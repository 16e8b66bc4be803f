"""An ingestion in a process of its own, which may be killed in any moment or run out of disk.

Usage: python -m tests.ingest_process SOURCE [--die before|after STATEMENT] [--largest-file BYTES]
"""

import argparse
import os
import resource
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.sql import Row, SqlEngine
from embedding_lakehouse.errors import NothingToDo
from embedding_lakehouse.steps.ingest_documents.comparing import compare_documents
from embedding_lakehouse.steps.ingest_documents.listing import list_files
from embedding_lakehouse.steps.ingest_documents.merging import merge_documents
from embedding_lakehouse.steps.ingest_documents.parsing import parse_files


@dataclass(frozen=True)
class DyingEngine(SqlEngine):
    """An engine whose process is killed before or after a statement."""

    moment: str = ""
    statement: str = ""

    def stream(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> Iterator[Row]:
        if (self.moment, self.statement) == ("before", path):
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().stream(path, binds, **names)
        if (self.moment, self.statement) == ("after", path):
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("--die", nargs=2, default=("", ""))
    parser.add_argument("--largest-file", type=int, default=resource.RLIM_INFINITY)
    asked = parser.parse_args()
    lake = connect()
    lake = Lake(lake.catalog, DyingEngine(lake.sql.name, lake.sql.connect, moment=asked.die[0], statement=asked.die[1]))
    params = {"source": asked.source}
    shards = list_files(params, "a-run", lake)
    resource.setrlimit(resource.RLIMIT_FSIZE, (asked.largest_file, resource.RLIM_INFINITY))
    staged = [parse_files(**shard, params=params, lake=lake) for shard in shards]
    try:
        if staged:
            merge_documents(compare_documents(staged, params, lake), params, lake)
    except NothingToDo as nothing:
        print(nothing)


if __name__ == "__main__":
    main()
