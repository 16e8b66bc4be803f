"""Which chunks of a batch keep their row, which copy a vector, which are bought; and what that costs."""

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.tables import BATCH_CHUNKS, BATCH_REUSE, DOCUMENT_EMBEDDINGS, Table

Row = dict[str, Any]

EMBEDDED = (
    {"chunk_id": "kept", "text_hash": "t kept", "batch_id": "b1"},
    {"chunk_id": "elsewhere", "text_hash": "t copied", "batch_id": "b1"},
    {"chunk_id": "elsewhere, later", "text_hash": "t copied", "batch_id": "b2"},
    {"chunk_id": "rejected", "text_hash": "t rejected", "batch_id": "b3"},
    {"chunk_id": "rejected and again", "text_hash": "t again", "batch_id": "b3"},
    {"chunk_id": "elsewhere again", "text_hash": "t again", "batch_id": "b2"},
    {"chunk_id": "copy of a rejected one", "text_hash": "t copied from rejected", "batch_id": "b4", "copied_from_batch": "b3"},
    {"chunk_id": "other settings", "text_hash": "t settings", "batch_id": "b1", "profile_fingerprint": "f0"},
    {"chunk_id": "other model", "text_hash": "t model", "batch_id": "b1", "model_version": "v0"},
)
# chunk_id -> its text's hash, and whether it is kept, copied from a batch, or bought.
PLANNED = {
    "kept": ("t kept", "kept"),
    "copied": ("t copied", "b2"),
    "copied too": ("t copied", "b2"),
    "beside the kept": ("t kept", "b1"),
    "rejected": ("t rejected", "bought"),
    "rejected and again": ("t again", "b2"),
    "copy of a rejected one": ("t copied from rejected", "bought"),
    "other settings": ("t settings", "bought"),
    "other model": ("t model", "bought"),
    "new": ("t new", "bought"),
    "new elsewhere": ("t new", "bought"),
    "not published": ("t branch", "bought"),
}


def append(lake: Lake, declared: Table, rows: list[Row], branch: str = "main") -> None:
    table = lake.table(declared)
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()), branch=branch)


@pytest.fixture(scope="module")
def planned(module_lake: Lake) -> Lake:
    """A lake with the rows above, where batch b9 plans its chunks and was asked once what it can reuse."""
    defaults = {"model_version": "v1", "profile_fingerprint": "f1", "embedding": [1.0]}
    append(module_lake, DOCUMENT_EMBEDDINGS, [defaults | row for row in EMBEDDED])
    embeddings = module_lake.table(DOCUMENT_EMBEDDINGS)
    embeddings.manage_snapshots().create_branch(head_snapshot(embeddings).snapshot_id, "batch-b8").commit()
    unpublished = defaults | {"chunk_id": "not published", "text_hash": "t branch", "batch_id": "b8"}
    append(module_lake, DOCUMENT_EMBEDDINGS, [unpublished], branch="batch-b8")
    states = {"b1": "published", "b2": "published", "b3": "rejected", "b4": "published"}
    batches.journal(module_lake).change(lambda rows: [{"batch_id": batch, "state": state} for batch, state in states.items()])
    append(
        module_lake,
        BATCH_CHUNKS,
        [
            {"batch_id": "b9", "doc_id": document(chunk), "chunk_id": chunk, "text_hash": text, "chunk_text": text * 10}
            for chunk, (text, _) in PLANNED.items()
        ],
    )
    find_reuse(module_lake)
    return module_lake


def document(chunk: str) -> str:
    """The document of a planned chunk: one for each first word."""
    return chunk.partition(" ")[0]


def find_reuse(lake: Lake) -> None:
    snapshot = head_snapshot(lake.table(DOCUMENT_EMBEDDINGS)).snapshot_id
    lake.sql.execute("plans/plan_reuse", ("b9", "v1", "f1", "b9"), embeddings_snapshot=snapshot)


def reuse(lake: Lake) -> dict[str, Row]:
    return {row["chunk_id"]: row for row in lake.table(BATCH_REUSE).scan().to_arrow().to_pylist() if row["batch_id"] == "b9"}


@pytest.mark.parametrize("chunk", [chunk for chunk, (_, expected) in PLANNED.items() if expected == "bought"])
def test_a_chunk_without_a_usable_vector_is_bought(planned: Lake, chunk: str) -> None:
    assert chunk not in reuse(planned)


def test_a_chunk_with_a_row_of_its_own_is_kept(planned: Lake) -> None:
    assert [chunk for chunk, row in reuse(planned).items() if row["is_kept"]] == ["kept"]


@pytest.mark.parametrize("chunk", [chunk for chunk, (_, expected) in PLANNED.items() if expected not in ("bought", "kept")])
def test_a_text_that_stands_elsewhere_is_copied_from_its_latest_batch(planned: Lake, chunk: str) -> None:
    row = reuse(planned)[chunk]
    assert (row["is_kept"], row["source_batch"]) == (False, PLANNED[chunk][1])


def test_a_copy_names_the_file_that_holds_the_vector(planned: Lake) -> None:
    table = planned.table(DOCUMENT_EMBEDDINGS)
    files = {task.file.file_path for task in table.scan().plan_files()}
    assert {row["source_file"] for row in reuse(planned).values()} <= files


def test_the_price_counts_chunks_by_where_their_vectors_come_from(planned: Lake) -> None:
    # Bought are six texts, one of them for two chunks, each ten times as long as its hash; a token has four characters.
    characters = sum(len(text) * 10 for text in ("t rejected", "t copied from rejected", "t settings", "t model", "t new", "t branch"))
    reused = sum(len(text) * 10 for text, _ in PLANNED.values()) - characters
    assert planned.sql.row("plans/price_batch", ("b9", "b9"))[:6] == (12, 1, 4, 6, -(-characters // 4), reused // 4)


def test_the_largest_documents_are_those_with_most_to_embed(planned: Lake) -> None:
    to_embed = Counter[str]()
    for chunk, (text, expected) in PLANNED.items():
        to_embed[document(chunk)] += len(text) * 10 if expected == "bought" else 0
    doc_ids, characters = planned.sql.row("plans/price_batch", ("b9", "b9"))[6:]
    assert characters == sorted(to_embed.values(), reverse=True)[:5]
    assert [to_embed[doc_id] for doc_id in doc_ids] == characters


def test_what_two_tries_found_is_priced_once(planned: Lake) -> None:
    before = planned.sql.row("plans/price_batch", ("b9", "b9"))
    find_reuse(planned)
    assert planned.sql.row("plans/price_batch", ("b9", "b9")) == before


def test_a_batch_without_chunks_costs_nothing(planned: Lake) -> None:
    assert planned.sql.row("plans/price_batch", ("none", "none")) == (0, 0, 0, 0, 0, 0, None, None)
