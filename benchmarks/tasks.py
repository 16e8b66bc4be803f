"""Run one step as Airflow runs a task: in a process forked from one that has the libraries loaded, so that its memory is its own."""

import multiprocessing
import os
import time
import traceback
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.embedder import CountingModel
from benchmarks.measures import Cost, peak_memory

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["benchmarks.preloaded"])
# Steps that take the model as an argument.
EMBEDDING = frozenset({"embed_chunks"})


class TaskFailed(Exception):
    """A step raised; the message is its traceback."""


def run_task(environment: dict[str, str], log: Path, step: str, **arguments: Any) -> tuple[Any, Cost]:
    """What `steps.<module>.<function>` answers, called as its DAG calls it under these variables, and what it cost.

    Starting the process is not counted, connecting to the lake and loading the model are. What it says goes to `log`. Raises TaskFailed
    with the step's traceback.
    """
    here, there = FORKING.Pipe(duplex=False)
    process = FORKING.Process(target=_perform, args=(there, environment, log, step, arguments))
    process.start()
    there.close()
    try:
        answer, cost, trouble = here.recv()
    except EOFError:
        trouble = "its process ended without an answer"
    process.join()
    if trouble:
        raise TaskFailed(f"{step}: {trouble}")
    return answer, cost


def _perform(there: Connection, environment: dict[str, str], log: Path, step: str, arguments: dict[str, Any]) -> None:
    os.environ.update(environment)
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    try:
        there.send((*_measured(step, arguments), ""))
    except Exception:
        there.send((None, None, traceback.format_exc()))


def _measured(step: str, arguments: dict[str, Any]) -> tuple[Any, Cost]:
    module, _, function = step.rpartition(".")
    call = getattr(import_module(f"embedding_lakehouse.steps.{module}"), function)
    model = CountingModel()
    if function in EMBEDDING:
        arguments |= {"model": model}
    wall, cpu = time.perf_counter(), time.process_time()
    answer = call(**arguments)
    return answer, Cost(
        wall=time.perf_counter() - wall,
        cpu=time.process_time() - cpu,
        peak_memory=peak_memory(),
        texts_embedded=model.texts,
        embedder_wall=model.seconds,
    )
