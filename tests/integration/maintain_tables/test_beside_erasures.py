"""Maintenance and erasures that meet: each is interrupted by a whole run of the other, at its commits and statements.

By default at every sixth moment, those that once went wrong among them; `EVERY_MOMENT=1` in the environment takes all of them.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.maintenance import references
from embedding_lakehouse.clients.parts import stored_path
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.core.tables import BATCH_CHUNKS, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS
from embedding_lakehouse.errors import ConflictError
from embedding_lakehouse.receipts import explain
from tests.batches import put_documents, run_batch
from tests.forgetting_fixtures import Forgetting, hits
from tests.interruptions import Moments
from tests.lake_fixtures import SavedLake
from tests.maintenance_fixtures import AT_ONCE, Maintaining, files_of, files_older_by

EVERY = int(os.environ.get("EVERY_MOMENT", "6"))
TABLES = (SOURCE_DOCUMENTS, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, BATCH_CHUNKS)
# Receipts keep their texts, so that there are tags. What is not needed goes at once, but for files that somebody may have just written.
YOUNG = timedelta(hours=1)
RULES = replace(AT_ONCE, receipt_age=timedelta(days=365), orphan_age=YOUNG)
PRIVATE = "private-quagga"
MARKS = ["quagga", *(f"Gnu{number} " for number in range(3))]
TRIES = 3

Act = Callable[[Lake], Any]


@pytest.fixture(scope="module")
def filled(trino_stack: Stack, own_module_lake: Lake) -> SavedLake:
    """Three published batches, each with another text of a document to forget and of one to keep."""
    for number in range(3):
        texts = {PRIVATE: f"Gnu{number} is asleep.", "edited": f"Edition {number} of it.", "kept": "It stays as it is."}
        put_documents(own_module_lake, texts)
        run_batch(own_module_lake)
    return SavedLake.of(trino_stack.home, own_module_lake).whole()


def restored(saved: SavedLake) -> Lake:
    """The lake again, none of whose files is young."""
    lake = saved.restore()
    for table in TABLES:
        files_older_by(lake, table, 2 * YOUNG)
    return lake


def maintain(lake: Lake, **rules: Any) -> None:
    Maintaining(lake, RULES).run(*TABLES, **rules)


def forget(lake: Lake) -> None:
    """The erasure, in a lake without a release, so that no index is asked."""
    certificate = Forgetting(lake, IndexService("a key", "http://127.0.0.1:9")).forget(doc_ids=[PRIVATE])
    assert certificate["checked"]["left"] == {}


def patiently(act: Act, lake: Lake) -> None:
    """As Airflow does: a lost race is tried again. Nothing else is."""
    for _ in range(TRIES):
        try:
            act(lake)
        except ConflictError:
            continue
        return
    act(lake)


def kept_rows(lake: Lake) -> dict[str, list[str]]:
    """The rows of the documents that are kept, as PyIceberg reads them."""
    found = {}
    for table in TABLES[:3]:
        rows = lake.table(table).scan().to_arrow().to_pylist()
        found[table.name] = sorted(str(row) for row in rows if row["doc_id"] != PRIVATE)
    return found


def earlier_texts(lake: Lake) -> dict[str, str | None]:
    """The text behind each vector of the kept documents, by its receipt."""
    rows = lake.table(DOCUMENT_EMBEDDINGS).scan().to_arrow().to_pylist()
    ids = sorted(row["chunk_id"] for row in rows if row["doc_id"] != PRIVATE)
    return {one.record_id: one.version.document_text for one in explain(ids, "small", lake=lake).receipts}


def lacking(lake: Lake) -> list[str]:
    """Files that a table needs and does not have."""
    found = []
    for declared in TABLES:
        table = lake.table(declared)
        known, has = references(table), {stored_path(table, f"file://{file}") for file in files_of(lake, declared)}
        found += sorted((known.rows | known.metadata) - has)
    return found


def problems(lake: Lake, home: Path, before: dict[str, Any]) -> Iterator[str]:
    """What is wrong after both have run."""
    yield from (f"still there: {hit}" for hit in hits(home, MARKS))
    yield from (f"lacking: {file}" for file in lacking(lake))
    for name, rows in kept_rows(lake).items():
        if rows != before[name]:
            yield f"{name} has other rows"
    if (texts := earlier_texts(lake)) != before["texts"]:
        yield f"receipts lead to other texts: {texts}"


def test_an_erasure_finds_what_maintenance_left_of_a_document_in_manifests(filled: SavedLake, trino_stack: Stack) -> None:
    lake = restored(filled)
    maintain(lake)
    forget(lake)
    assert hits(trino_stack.home, MARKS) == []


@pytest.mark.parametrize(("interrupted", "other"), [(maintain, forget), (forget, maintain)], ids=["maintenance", "erasure"])
def test_whoever_is_interrupted_by_the_other_goes_on(filled: SavedLake, trino_stack: Stack, interrupted: Act, other: Act) -> None:
    lake = filled.restore()
    before = kept_rows(lake) | {"texts": earlier_texts(lake)}
    assert len(before["texts"]) == 4 and None not in before["texts"].values()
    wrong, number = [], 1
    while True:
        lake = restored(filled)
        moments = Moments(number, lambda lake=lake: patiently(other, lake))
        try:
            patiently(interrupted, moments.watched(lake, trino_stack))
            maintain(lake, orphan_age=timedelta(0))
            if moments.is_reached:
                wrong += [f"{moments.name}: {problem}" for problem in problems(lake, trino_stack.home, before)]
        except Exception as error:
            wrong.append(f"{moments.name}: {type(error).__name__}: {error}")
        if not moments.is_reached:
            break
        number += EVERY
    assert number > 20
    assert wrong == []
