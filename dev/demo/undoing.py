"""The demonstration's bad batch: a wrong document comes in, is found by the receipt of its answer, and is rolled back."""

import time
from collections.abc import Callable
from pathlib import Path

from dev.demo.airflow_api import AirflowApi
from dev.demo.documents import add_wrong_document
from dev.stack import StackError
from embedding_lakehouse.retrieval import Match, search

Say = Callable[[str], None]
SAME_SCORE = 1e-6


def undo_a_bad_batch(airflow: AirflowApi, folder: Path, question: str, index: Callable[[], object], say: Say) -> None:
    """Let a wrong document in, find its batch by the receipt of the best answer, roll it back, and compare the answers.

    `index` brings the folder into the index. Raises StackError where the answers after it are not those before it.
    """
    before = search(question, top_k=3)
    wrong = add_wrong_document(folder)
    say(f"A bad batch: {wrong.name} comes in, full of wrong text")
    index()
    worst = search(question, top_k=3)[0]
    if worst.doc_id != wrong.name:
        raise StackError(f"the wrong document should be the best answer, {worst.doc_id} is")
    say(f"It is the best answer now ({worst.score:.3f}), from batch {worst.batch_id}. Mend the source, undo the batch")
    wrong.unlink()

    begun, texts = time.monotonic(), texts_embedded()
    known = airflow.last_run("sync_index")
    conf = {"without_batch": worst.batch_id, "reason": f"{wrong.name} says what is wrong"}
    shown = airflow.trigger_and_answer("roll_back_embeddings", "approve_roll_back", conf)
    airflow.await_run_after("sync_index", known)
    seconds, embedded = time.monotonic() - begun, texts_embedded() - texts
    if not is_same(before, search(question, top_k=3)):
        raise StackError("after the roll-back the search answers otherwise than before the bad batch")
    say(f"Approved: {shown}")
    say(f"The search answers as before the bad batch: {seconds:.0f} s with Airflow's own, {embedded} texts embedded")


def is_same(before: list[Match], after: list[Match]) -> bool:
    """Whether two answers hold the same chunks with the same scores."""
    pairs = list(zip(before, after, strict=False))
    return len(before) == len(after) == len(pairs) and all(
        old.chunk_id == new.chunk_id and old.batch_id == new.batch_id and abs(old.score - new.score) < SAME_SCORE for old, new in pairs
    )


def texts_embedded() -> int:
    """Texts that all batches together were embedded for, as the lake has it."""
    from embedding_lakehouse.clients.lake import connect
    from embedding_lakehouse.core.tables import EMBEDDING_BATCHES

    return sum(row["texts_embedded"] or 0 for row in connect().table(EMBEDDING_BATCHES).scan().to_arrow().to_pylist())
