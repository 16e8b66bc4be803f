"""A batch by two workers that share nothing but the lake: each has its own copy of the code, its own home and temporary folder."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dev.stack.component import ROOT
from embedding_lakehouse.clients.lake import Lake
from tests.batches import BatchRun, current_chunks, current_documents, put_documents
from tests.lake_fixtures import declare

PROFILE = """
[profiles.bundled]
provider = "wordllama"
model_name = "l2_supercat"
model_version = "bundled-v1"
dimensions = 256
chunking = { strategy = "structure", max_characters = 60 }
batch = { documents = 40, shard_documents = 2, shard_tokens = 40, checkpoint_chunks = 2 }
index = { name = "bundled" }
"""
DOCUMENTS = {
    f"{name}.md": f"# {name}\n\nWhat {name} is for.\n\n## Wear\n\nWhen {name} is worn." for name in ("gates", "keys", "locks", "pumps")
}
EMBED = "embed_documents"


class Worker:
    """A worker with a folder of its own as its home, its working and its temporary folder."""

    def __init__(self, folder: Path) -> None:
        for part in ("include", "sql"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "tests" / "worker_process.py", folder)
        for name in ("tmp", "home", "work"):
            (folder / name).mkdir()
        kept = ("AIRFLOW_CONN_", "EMBEDDING_LAKEHOUSE_PROFILES", "NO_PROXY", "no_proxy", "PATH")
        environment = {name: value for name, value in os.environ.items() if name.startswith(kept)}
        own = {"HOME": "home", "AIRFLOW_HOME": "home", "TMPDIR": "tmp", "PYTHONPATH": "include"}
        environment |= {name: str(folder / part) for name, part in own.items()} | {"PYTHONDONTWRITEBYTECODE": "1"}
        self._folder = folder
        command = [sys.executable, str(folder / "worker_process.py")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, cwd=folder / "work", env=environment, **pipes)

    def begin(self, module: str, step: str, **arguments: Any) -> None:
        """Hand a task to it."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"module": f"{EMBED}.{module}", "step": step, "arguments": arguments}) + "\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        """What the oldest task returned that was not asked for yet."""
        assert self._process.stdout
        # Airflow's own log lines come first.
        while not (line := self._process.stdout.readline()).startswith(("{", "[", '"')):
            assert line, "the worker ended"
        return json.loads(line)

    def left_behind(self) -> list[Path]:
        """What of the batch lies on its own disk."""
        return [file for file in self._folder.rglob("*.parquet") if file.is_file()] + list((self._folder / "work").iterdir())

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)


@contextmanager
def two_workers() -> Iterator[tuple[Worker, Worker]]:
    """Two workers that run at the same time."""
    folders = [Path(tempfile.mkdtemp(prefix="worker-")) for _ in range(2)]
    one, other = (Worker(folder) for folder in folders)
    try:
        yield one, other
    finally:
        for worker, folder in zip((one, other), folders, strict=True):
            worker.end()
            shutil.rmtree(folder)


def share(workers: tuple[Worker, Worker], module: str, step: str, tasks: list[dict[str, Any]]) -> list[Any]:
    """Let the workers do the tasks in turn, both at the same time; what each returned."""
    assert len(tasks) > 1
    for number, task in enumerate(tasks):
        workers[number % 2].begin(module, step, **task)
    return [workers[number % 2].result() for number in range(len(tasks))]


@pytest.fixture
def documents(lake: Lake, profiles: Path) -> Lake:
    declare(profiles, PROFILE)
    put_documents(lake, DOCUMENTS)
    return lake


def test_two_workers_with_nothing_in_common_but_the_lake_do_halves_of_a_batch(documents: Lake) -> None:
    run = BatchRun(documents, profile="bundled").until("plan")
    with two_workers() as workers:
        run.result["chunk"] = share(workers, "chunking", "chunk_documents", run.result["plan"])
        # Each embeds what the other one has cut as well.
        share(workers, "embedding", "embed_chunks", list(reversed(run.price())))
        workers[0].begin("publishing", "commit_embeddings", batch_id=run.batch_id)
        assert workers[0].result() == run.batch_id
        workers[1].begin("publishing", "publish_batch", batch_id=run.batch_id)
        workers[1].result()
        assert [file for worker in workers for file in worker.left_behind()] == []
    assert set(current_documents(documents, "bundled")) == set(DOCUMENTS)
    assert len(current_chunks(documents, "bundled")) >= len(DOCUMENTS)
    assert run.row["state"] == "published"
