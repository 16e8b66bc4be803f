"""What Airflow adds: runs of the whole DAG, triggered through its API and followed to their end, beside the same steps alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks.corpus import Corpus
from benchmarks.lake import OurLake
from benchmarks.measures import Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import WARM_UP_DOCUMENTS, Workbench
from dev.demo.airflow_api import AirflowApi

DAG = "embed_documents"
QUIET, EDITED = "nothing changed", "edited"
NOTES = [
    "A real Airflow of the local stack: its scheduler, processor, triggerer and API server, all on the same cores. A run lasts from its "
    "start to its end as Airflow has them; tasks that were skipped are not counted.",
    "The steps alone are the same steps, each in a process of its own, in the same lake, with as much to do.",
]


@dataclass(frozen=True)
class Ran:
    """A run of the DAG: its seconds, those inside its tasks, how many tasks ran; and the seconds of the same steps alone."""

    wall: float
    inside: float
    tasks: int
    alone: float


def measure(bench: Workbench) -> Section:
    """Quiet runs and runs with edited documents over the small corpus."""
    ours = OurLake(bench.folder("overhead") / "home")
    bench.stop_at_end(ours)
    ours.start()
    ours.stack.start()
    airflow = AirflowApi(ours.stack, lambda _line: None)
    airflow.await_dags([DAG])
    corpus = Corpus(bench.options.small_documents, bench.options.seed)
    ours.warm_up(Corpus(WARM_UP_DOCUMENTS, bench.options.seed).texts(), bench.options.warm_up_batches)
    ours.put(corpus.texts())
    ours.bring_up_to_date()
    rounds = bench.options.rounds
    found: dict[str, list[Ran]] = {QUIET: [], EDITED: []}
    edits = corpus.edits(bench.options.edited_share, 2 * rounds)
    for _ in range(rounds):
        found[QUIET].append(_ran(airflow, ours.bring_up_to_date().wall))
        ours.put(next(edits).items())
        alone = ours.bring_up_to_date().wall
        ours.put(next(edits).items())
        found[EDITED].append(_ran(airflow, alone))
    quiet = found[QUIET]
    figures = [
        Figure("tasks that run when nothing changed", Spread.of([one.tasks for one in quiet]), most=2, counted=True),
        Figure("seconds of a quiet run, from its start to its end", Spread.of([one.wall for one in quiet])),
        *(_ratio(kind, runs) for kind, runs in found.items()),
    ]
    columns = ["", "run, s", "inside its tasks, s", "its tasks", "steps alone, s"]
    rows = [[kind, *map(str, _spreads(runs))] for kind, runs in found.items()]
    return Section("Airflow", figures, [Table(f"{corpus.documents:,} documents", columns, rows)], NOTES)


def _ran(airflow: AirflowApi, alone: float) -> Ran:
    run = airflow.trigger(DAG)
    tasks = [task for task in airflow.task_instances(DAG, run["dag_run_id"]) if task["state"] == "success"]
    return Ran(_seconds(run), sum(task["duration"] or 0.0 for task in tasks), len(tasks), alone)


def _seconds(run: dict[str, Any]) -> float:
    return (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()


def _ratio(kind: str, runs: list[Ran]) -> Figure:
    value = Spread.of_ratios([one.wall for one in runs], [one.alone for one in runs])
    added = Spread.of([(one.wall - one.alone) / one.tasks for one in runs])
    return Figure(f"run of the DAG / its steps alone, {kind}", value, beside=f"{short(added.median)} s more for each task")


def _spreads(runs: list[Ran]) -> list[Spread]:
    return [
        Spread.of([one.wall for one in runs]),
        Spread.of([one.inside for one in runs]),
        Spread.of([one.tasks for one in runs]),
        Spread.of([one.alone for one in runs]),
    ]
