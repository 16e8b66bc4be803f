"""What counts as new, changed, deleted or unchanged, and what of it one batch takes on."""

from typing import Any

import pyarrow as pa
import pytest

from embedding_lakehouse.clients.forgetting.tombstones import NOBODY
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.tables import BATCH_DOCUMENTS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS
from tests.batches import put_source_rows

# doc_id -> the hashes it has in the source (a document may stand there twice), the ledger's rows as (batch number, hash, is deleted).
Documents = dict[str, tuple[list[str | None], list[tuple[int, str, bool]]]]

DOCUMENTS: Documents = {
    "new": (["h1"], []),
    "unchanged": (["h1"], [(1, "h1", False)]),
    "changed": (["h2"], [(1, "h1", False)]),
    "deleted": ([], [(1, "h1", False)]),
    "deleted before": ([], [(1, "h1", False), (2, "h1", True)]),
    "reverted": (["h1"], [(1, "h1", False), (2, "h2", False)]),
    "reverted and recorded": (["h1"], [(1, "h1", False), (2, "h2", False), (3, "h1", False)]),
    "returned": (["h1"], [(1, "h1", False), (2, "h1", True)]),
    "returned and recorded": (["h1"], [(1, "h1", False), (2, "h1", True), (3, "h1", False)]),
    "recorded out of order": (["h9"], [(10, "h9", False), (9, "h8", False)]),
    "twice and new": (["h1", "h1"], []),
    "twice and unchanged": (["h1", "h1"], [(1, "h1", False)]),
    "twice and different": (["h1", "h2"], []),
    "twice and recorded": (["h1", "h2"], [(1, "h2", False)]),
    "without a hash": ([None], []),
    "without a hash and recorded": ([None], [(1, "", False)]),
    "with a hash at last": (["h1"], [(1, "", False)]),
    "a#b/c\"d'e 😀": (["h1"], []),
}
EXPECTED = {
    "new": ("new", "h1"),
    "changed": ("changed", "h2"),
    "deleted": ("deleted", "h1"),
    "reverted": ("changed", "h1"),
    "returned": ("new", "h1"),
    "twice and new": ("new", "h1"),
    "twice and different": ("new", "h2"),
    "without a hash": ("new", ""),
    "with a hash at last": ("changed", "h1"),
    "a#b/c\"d'e 😀": ("new", "h1"),
}


def put(lake: Lake, documents: Documents, profile: str = "small") -> dict[str, int]:
    """Put documents into the source and the ledger; the snapshots to compare."""
    put_source_rows(
        lake,
        [
            {"doc_id": doc_id, "content_hash": source, "document_text": f"text {doc_id} {source}", "media_type": "text/plain"}
            for doc_id, (hashes, _) in documents.items()
            for source in hashes
        ],
    )
    versions = [
        {"doc_id": doc_id, "profile": profile, "batch_number": number, "content_hash": version, "is_deleted": is_deleted, "chunk_ids": []}
        for doc_id, (_, recorded) in documents.items()
        for number, version, is_deleted in recorded
    ]
    table = lake.table(DOCUMENT_VERSIONS)
    table.append(pa.Table.from_pylist(versions, schema=table.schema().as_arrow()))
    return {
        "source_snapshot": head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id,
        "versions_snapshot": head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id,
    }


def plan(lake: Lake, snapshots: dict[str, int], batch_id: str = "b1", limit: int = 100, shards: int = 1) -> list[dict[str, Any]]:
    """The rows of one batch's plan."""
    lake.sql.execute("plans/plan_documents", (NOBODY, "small", NOBODY, limit, batch_id, shards), **snapshots)
    return [row for row in lake.table(BATCH_DOCUMENTS).scan().to_arrow().to_pylist() if row["batch_id"] == batch_id]


@pytest.fixture(scope="module")
def snapshots(module_lake: Lake) -> dict[str, int]:
    """The snapshots that hold all the documents above."""
    return put(module_lake, DOCUMENTS)


@pytest.fixture(scope="module")
def planned(module_lake: Lake, snapshots: dict[str, int]) -> list[dict[str, Any]]:
    """The plan of a batch that takes on all of them."""
    return plan(module_lake, snapshots)


@pytest.mark.parametrize("doc_id", DOCUMENTS)
def test_a_document_is_planned_as_what_happened_to_it(planned: list[dict[str, Any]], doc_id: str) -> None:
    found = {(row["change"], row["content_hash"]) for row in planned if row["doc_id"] == doc_id}
    assert found == ({EXPECTED[doc_id]} if doc_id in EXPECTED else set())


def test_changes_are_counted_as_they_are_planned(module_lake: Lake, snapshots: dict[str, int]) -> None:
    counts = module_lake.sql.row("changes/count_document_changes", (NOBODY, "small", NOBODY), **snapshots)
    changes = [change for change, _ in EXPECTED.values()]
    # What neither changed nor was deleted before is unchanged.
    assert counts == (changes.count("new"), changes.count("changed"), changes.count("deleted"), len(DOCUMENTS) - len(EXPECTED) - 1, 0)


def test_a_plan_counts_each_document_once(module_lake: Lake, planned: list[dict[str, Any]]) -> None:
    changes = [change for change, _ in EXPECTED.values()]
    counts = module_lake.sql.row("plans/count_planned_documents", ("b1",))
    assert counts == tuple(changes.count(change) for change in ("new", "changed", "deleted"))


def test_a_plan_holds_the_text_of_the_planned_version(planned: list[dict[str, Any]]) -> None:
    texts = {row["doc_id"]: row["document_text"] for row in planned}
    assert texts["changed"] == "text changed h2"
    assert texts["twice and different"] == "text twice and different h2"
    assert texts["without a hash"] == "text without a hash None"
    assert texts["deleted"] is None


def test_another_profile_has_no_part_in_it(module_lake: Lake, snapshots: dict[str, int]) -> None:
    sources = sum(bool(hashes) for hashes, _ in DOCUMENTS.values())
    assert module_lake.sql.row("changes/count_document_changes", (NOBODY, "other", NOBODY), **snapshots) == (sources, 0, 0, 0, 0)


def test_a_plan_takes_on_the_first_documents_up_to_its_limit(module_lake: Lake, snapshots: dict[str, int]) -> None:
    rows = plan(module_lake, snapshots, "b2", limit=3)
    assert sorted({row["doc_id"] for row in rows}) == sorted(EXPECTED)[:3]


def test_every_planned_document_lies_in_a_shard(module_lake: Lake, snapshots: dict[str, int]) -> None:
    shards = {row["shard"] for row in plan(module_lake, snapshots, "b3", shards=3)}
    assert shards == {0, 1, 2}


def test_nothing_in_the_source_and_nothing_in_the_ledger_is_no_change(lake: Lake) -> None:
    assert lake.sql.row("changes/count_document_changes", (NOBODY, "small", NOBODY), **put(lake, {})) == (0, 0, 0, 0, 0)


def test_rows_without_a_document_s_name_are_counted_apart(lake: Lake) -> None:
    snapshots = put(lake, {"a": (["h1"], [])})
    put_source_rows(lake, [{"doc_id": doc_id, "content_hash": "h1"} for doc_id in ("a", None, None)])
    snapshots["source_snapshot"] = head_snapshot(lake.table(SOURCE_DOCUMENTS)).snapshot_id
    assert lake.sql.row("changes/count_document_changes", (NOBODY, "small", NOBODY), **snapshots)[-1] == 2
