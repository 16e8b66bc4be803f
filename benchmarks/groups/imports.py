"""What it takes to read the DAG files, and to import a step in a task: fresh, and forked from a scheduler that has loaded it."""

import json
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.embedder import PROFILES
from benchmarks.measures import Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.tasks import FORKING
from benchmarks.timed_import import seconds_to_import
from benchmarks.workbench import Workbench
from dev.stack.component import ROOT

AIRFLOW = "airflow.sdk"
STEPS = (
    "embed_documents.planning",
    "embed_documents.chunking",
    "embed_documents.embedding",
    "embed_documents.publishing",
    "embed_documents.auditing",
    "sync_index.planning",
    "sync_index.writing",
    "sync_index.closing",
)
# Airflow reads every DAG file again and again: what a step needs is imported by its task.
HEAVY = ("boto3", "numpy", "openai", "pandas", "pinecone", "pyarrow", "pyiceberg", "trino", "wordllama")
NOTES = [
    "A DAG file is imported in a process that was forked for it from one with `airflow.sdk` alone, which itself is imported by a fresh "
    "interpreter.",
    "Libraries are those of which nothing may be loaded by reading a DAG file: " + ", ".join(f"`{name}`" for name in HEAVY) + ".",
    "A step is imported in the same way (fresh), and in a process that is forked from one with what the scheduler of the local stack has "
    "loaded.",
]


def measure(bench: Workbench) -> Section:
    """Every DAG file and the steps of the two DAGs that run most, round after round."""
    environment = _environment(bench.folder("imports"))
    files = [str(file) for file in sorted((ROOT / "dags").glob("*.py"))]
    modules = [f"embedding_lakehouse.steps.{step}" for step in STEPS]
    fresh: dict[str, list[float]] = {name: [] for name in (AIRFLOW, *files, *modules)}
    forked: dict[str, list[float]] = {module: [] for module in modules}
    loaded: set[str] = set()
    for _ in range(bench.options.rounds):
        for answer in _fresh(environment, files + modules):
            fresh[answer["name"]].append(answer["seconds"])
            if answer["name"] in files:
                loaded.update(set(answer["modules"]) & set(HEAVY))
        for module in modules:
            forked[module].append(_forked(environment, module))
    sdk, read = fresh[AIRFLOW], [fresh[file] for file in files]
    steps = _sums([fresh[module] for module in modules])
    figures = [
        Figure(
            "libraries that reading the DAG files loads", Spread.of([len(loaded)]), most=0, beside=", ".join(sorted(loaded)), counted=True
        ),
        Figure("slowest DAG file / importing `airflow.sdk`", Spread.of_ratios([max(one) for one in zip(*read, strict=True)], sdk)),
        Figure("imports of all steps, forked / fresh", Spread.of_ratios(_sums([*forked.values()]), steps)),
    ]
    tables = [
        Table("Milliseconds to read a DAG file", ["file", "ms"], [[Path(file).name, _milliseconds(fresh[file])] for file in files]),
        Table(
            "Milliseconds to import a step",
            ["step", "fresh, ms", "forked, ms"],
            [[step, _milliseconds(fresh[name]), _milliseconds(forked[name])] for step, name in zip(STEPS, modules, strict=True)],
        ),
    ]
    return Section("Imports", figures, tables, [*NOTES, f"`airflow.sdk` itself takes {short(1000 * Spread.of(sdk).median)} ms."])


def _environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "EMBEDDING_LAKEHOUSE_PROFILES": str(PROFILES),
        "PYTHONPATH": f"{ROOT / 'include'}:{ROOT}",
    }


def _fresh(environment: dict[str, str], wanted: list[str]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.timed_import", AIRFLOW, *wanted]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(answers) != len(wanted) + 1:
        raise RuntimeError(f"not everything could be imported: {done.stderr}")
    return answers


def _forked(environment: dict[str, str], module: str) -> float:
    here, there = FORKING.Pipe(duplex=False)
    process = FORKING.Process(target=_answer, args=(there, environment, module))
    process.start()
    seconds: float = here.recv()
    process.join()
    return seconds


def _answer(there: Connection, environment: dict[str, str], module: str) -> None:
    os.environ.update(environment)
    there.send(seconds_to_import(module))


def _sums(seconds: list[list[float]]) -> list[float]:
    """Of each round."""
    return [sum(round_) for round_ in zip(*seconds, strict=True)]


def _milliseconds(seconds: list[float]) -> str:
    return str(Spread.of([1000 * one for one in seconds]))
