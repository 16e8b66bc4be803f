"""`python -m dev.demo [--no-keep]`: real Airflow runs index real documents, then only what changed, then answer a question."""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dev.demo.airflow_api import AirflowApi
from dev.demo.documents import edit_documents, write_documents
from dev.stack import Stack, StackError

DAGS = ["set_up_lakehouse", "ingest_documents", "embed_documents", "sync_index", "roll_back_embeddings"]
QUESTION = "How do I take back an embedding batch that should not have been published?"
# Soft-wrapped: a line stays a line. A file or a pipe is as wide as the widest table, so that no heading is cut.
CONSOLE = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 110)


@dataclass(frozen=True)
class Cost:
    """What a run from files to index cost."""

    name: str
    documents: int
    chunks: int
    embedded: int
    reused: int
    upserted: int
    deleted: int
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.demo", description="The main job on real documents, from nothing.")
    parser.add_argument("--no-keep", action="store_true", help="stop the stack at the end")
    arguments = parser.parse_args()
    stack = Stack.of_project(report=lambda line: CONSOLE.print(f"  {line}"))
    try:
        run(stack)
    except StackError as error:
        CONSOLE.print(f"[red]{error}[/]")
        return 1
    finally:
        if arguments.no_keep:
            stack.stop()
    if not arguments.no_keep:
        CONSOLE.print(
            f"\nAirflow: http://127.0.0.1:{stack.ports['airflow']}  user admin, password {stack.credentials.airflow_password}\n"
            "Embeddings in its navigation shows all of this. The stack keeps running: `make status` shows it, `make down` stops it."
        )
    return 0


def run(stack: Stack) -> None:
    """The whole demonstration on a stack, which is left running."""
    begun = time.monotonic()
    say("Starting Trino, the Pinecone-compatible server and Airflow")
    stack.start()
    os.environ.update(stack.environment())
    airflow = AirflowApi(stack, CONSOLE.print)
    airflow.await_dags(DAGS)

    folder = stack.home / "demo" / "documents"
    say(f"Writing the long descriptions of the installed Python packages: {write_documents(folder)} documents in {folder}")
    say("Setting up the lakehouse: tables, views, index")
    airflow.trigger("set_up_lakehouse")
    say("First run: everything")
    costs = [index(airflow, "first run", str(folder))]

    edits = edit_documents(folder)
    say(f"Second run: {edits.edited} edited by a sentence, {edits.deleted} deleted, {edits.added} added")
    costs.append(index(airflow, "after three edits", str(folder)))

    say(f"Question: {QUESTION}")
    show_matches(QUESTION)
    undo(airflow, folder)
    say("Is the index the record, and did retrieval drift?")
    for sentence in watch(airflow):
        CONSOLE.print(f"  {sentence}")
    show_costs(costs)
    CONSOLE.print(f"\n{time.monotonic() - begun:.0f} s in all.")


def undo(airflow: AirflowApi, folder: Path) -> None:
    # The package connects to the stack that was started above.
    from dev.demo.undoing import undo_a_bad_batch

    undo_a_bad_batch(airflow, folder, QUESTION, lambda: index(airflow, "the bad batch", str(folder)), say)


def watch(airflow: AirflowApi) -> list[str]:
    from dev.demo import watching

    return watching.watch(airflow)


def say(sentence: str) -> None:
    CONSOLE.print(f"\n[bold]{sentence}[/]")


def index(airflow: AirflowApi, name: str, folder: str) -> Cost:
    """Ingest the folder; the assets bring the embedding and the sync behind it. What that cost."""
    begun = time.monotonic()
    before = {dag_id: airflow.last_run(dag_id) for dag_id in ("embed_documents", "sync_index")}
    airflow.trigger("ingest_documents", {"source": folder})
    for dag_id, known in before.items():
        airflow.await_run_after(dag_id, known)
    return cost(name, time.monotonic() - begun)


def cost(name: str, seconds: float) -> Cost:
    """What the newest batch and the newest sync record of themselves, read from the lake."""
    from dev.demo.lake import newest_row
    from embedding_lakehouse.core.tables import EMBEDDING_BATCHES, INDEX_SYNCS

    batch, sync = newest_row(EMBEDDING_BATCHES, "batch_number"), newest_row(INDEX_SYNCS, "finished_at")
    return Cost(
        name,
        batch["documents_new"] + batch["documents_changed"] + batch["documents_deleted"],
        batch["chunks_planned"],
        batch["chunks_embedded"],
        batch["chunks_kept"] + batch["chunks_copied"],
        sync["records_upserted"],
        sync["records_deleted"],
        seconds,
    )


def show_matches(question: str) -> None:
    from embedding_lakehouse.retrieval import search

    for match in search(question, top_k=3):
        text = " ".join((match.text or "").split())
        CONSOLE.print(
            f"\n  [bold]{match.score:.3f}  {match.doc_id}[/]  chunk {match.chunk_index} of version {match.content_hash[:12]}, "
            f"model {match.model_version}, batch {match.batch_id}"
        )
        CONSOLE.print(f"         {text[:160]}", markup=False)


def show_costs(costs: list[Cost]) -> None:
    table = Table(title="\nWhat it cost", title_justify="left", box=None, pad_edge=False)
    for column in ("run", "documents", "chunks", "embedded", "reused", "upserted", "deleted", "seconds"):
        table.add_column(column, justify="left" if column == "run" else "right", no_wrap=True)
    for each in costs:
        figures = (each.documents, each.chunks, each.embedded, each.reused, each.upserted, each.deleted)
        table.add_row(each.name, *(f"{figure:,}" for figure in figures), f"{each.seconds:.0f}")
    CONSOLE.print(table)


if __name__ == "__main__":
    sys.exit(main())
