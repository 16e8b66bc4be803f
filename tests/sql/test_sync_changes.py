"""The statements of `sql/changes` by which a sync is measured, planned and summed up."""

from typing import Any

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.iceberg import head_snapshot, scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.batches import hash_range
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SYNC_CHANGES
from tests.lake_builder import LakeBuilder

EVERYTHING = hash_range(0, 1)
NOTHING = ""


@pytest.fixture
def builder(lake: Lake) -> LakeBuilder:
    return LakeBuilder(lake, settings.profile("small"))


def snapshots(lake: Lake) -> dict[str, int]:
    tables = {"versions": DOCUMENT_VERSIONS, "embeddings": DOCUMENT_EMBEDDINGS}
    return {name: head_snapshot(lake.table(table)).snapshot_id for name, table in tables.items()}


def measure(lake: Lake, before: dict[str, int] | None, unrecorded: str = NOTHING) -> tuple[Any, ...]:
    after = snapshots(lake)
    names = {"versions_before": (before or after)["versions"], "versions_after": after["versions"]}
    return lake.sql.row("changes/measure_sync", ["small", before is not None, "small", unrecorded], **names)


def plan(
    lake: Lake,
    before: dict[str, int] | None,
    sync_id: str = "s",
    shards: int = 1,
    bounds: tuple[str, str] = EVERYTHING,
    unrecorded: str = "",
) -> list[dict[str, Any]]:
    """The changes that the statement plans, as rows of sync_changes."""
    after = snapshots(lake)
    names = {f"{table}_{moment}": (found or after)[table] for moment, found in (("before", before), ("after", after)) for table in after}
    binds = ["small", before is not None, "small", unrecorded, "small", before is not None, "small", *bounds, unrecorded, *bounds]
    binds += ["small-v1", "small", True, "small-v1", "small", sync_id, shards]
    lake.sql.execute("changes/plan_sync", binds, **names)
    return scan(lake.table(SYNC_CHANGES), sync_id=sync_id).to_arrow().to_pylist()


def plan_of_batches(lake: Lake, before: dict[str, int], batch_ids: tuple[str, ...], sync_id: str = "s") -> list[dict[str, Any]]:
    """The changes that the batches alone lead to, as rows of sync_changes."""
    after = snapshots(lake)
    names = {"versions_before": before["versions"], "versions_after": after["versions"], "embeddings_after": after["embeddings"]}
    ledger = ["small", batch_ids, "small", "small", batch_ids]
    assert lake.sql.row("changes/measure_sync_of_batches", ledger, **names) == measure(lake, before)[:1]
    lake.sql.execute("changes/plan_sync_of_batches", [*ledger, *EVERYTHING, "small-v1", "small", batch_ids, sync_id, 4], **names)
    return scan(lake.table(SYNC_CHANGES), sync_id=sync_id).to_arrow().to_pylist()


def changed(rows: list[dict[str, Any]]) -> set[tuple[str, bool]]:
    return {(row["chunk_id"], row["is_upsert"]) for row in rows}


def test_without_a_state_before_every_current_chunk_is_measured_and_planned(builder: LakeBuilder):
    builder.publish({"a": ["a1", "a2"], "b": ["b1"]})
    builder.publish({"a": ["a2", "a3"]}, deleted=("b",))
    assert measure(builder.lake, None) == (2, 2)
    assert changed(plan(builder.lake, None)) == {(chunk_id("a", "a2"), True), (chunk_id("a", "a3"), True)}


def test_only_documents_that_differ_are_opened(builder: LakeBuilder):
    builder.publish({"a": ["a1", "a2"], "b": ["b1"]})
    before = snapshots(builder.lake)
    builder.publish({"a": ["a2", "a3", "a4"]})
    assert measure(builder.lake, before) == (5, 4)
    planned = plan(builder.lake, before)
    assert changed(planned) == {(chunk_id("a", "a1"), False), (chunk_id("a", "a3"), True), (chunk_id("a", "a4"), True)}


def test_a_chunk_s_row_is_named_by_its_batch_and_file(builder: LakeBuilder):
    builder.publish({"a": ["a1"]})
    batch_id = builder.publish({"b": ["b1"]})
    (row,) = [row for row in plan(builder.lake, None) if row["doc_id"] == "b"]
    files = builder.lake.table(DOCUMENT_EMBEDDINGS).inspect.files()["file_path"].to_pylist()
    assert row["source_batch"] == batch_id
    assert row["source_file"] in files


def test_a_rejected_batch_s_row_is_not_the_chunk_s_row(builder: LakeBuilder):
    rejected = builder.publish({"a": ["a1"]})
    builder.reject(rejected)
    made_again = builder.publish({"a": ["a1"]})
    assert [row["source_batch"] for row in plan(builder.lake, None)] == [made_again]


def test_a_chunk_whose_only_row_is_rejected_is_planned_without_a_file(builder: LakeBuilder):
    builder.reject(builder.publish({"a": ["a1"]}))
    (row,) = plan(builder.lake, None)
    assert (row["is_upsert"], row["source_file"]) == (True, None)


def test_a_document_that_stands_twice_in_the_source_is_planned_once(builder: LakeBuilder):
    builder.title({"a": "one title"})
    builder.title({"a": "another title"})
    builder.publish({"a": ["a1"]})
    assert [row["title"] for row in plan(builder.lake, None)] == ["one title"]


def test_slices_together_plan_what_one_statement_plans(builder: LakeBuilder):
    builder.publish({f"{number}": [f"text {number} {part}" for part in range(4)] for number in range(20)})
    before = snapshots(builder.lake)
    builder.publish({f"{number}": [f"text {number} {part}" for part in range(2, 6)] for number in range(10)}, deleted=("19",))
    whole = changed(plan(builder.lake, before))
    for part in range(3):
        plan(builder.lake, before, sync_id="in slices", bounds=hash_range(part, 3))
    rows = scan(builder.lake.table(SYNC_CHANGES), sync_id="in slices").to_arrow().to_pylist()
    assert (changed(rows), len(rows)) == (whole, len(whole))


def test_a_file_s_rows_are_written_by_one_shard(builder: LakeBuilder):
    # So many files that by their names alone no shard is left without one.
    builder.publish({f"{number}": [f"text {number}"] for number in range(240)})
    rows = plan(builder.lake, None, shards=4)
    places = {(row["source_file"], row["shard"]) for row in rows}
    assert len(places) == len({file for file, _ in places}) == 80
    assert {shard for _, shard in places} == {0, 1, 2, 3}


def test_what_an_unrecorded_sync_touched_is_planned_again_or_removed(builder: LakeBuilder):
    builder.publish({"a": ["a1", "a2"]})
    before = snapshots(builder.lake)
    moment = builder.moment()
    builder.publish({"b": ["b1"], "a": ["a2"]})
    plan(builder.lake, before, sync_id="unrecorded")
    builder.roll_back(moment)
    assert changed(plan(builder.lake, before, unrecorded="unrecorded")) == {
        (chunk_id("a", "a1"), True),
        (chunk_id("a", "a2"), True),
        (chunk_id("b", "b1"), False),
    }


def test_the_sum_names_a_chunk_without_a_row(builder: LakeBuilder):
    builder.publish({"a": ["a1", "a2"], "b": ["b1"]})
    builder.reject(builder.publish({"c": ["c1"]}))
    plan(builder.lake, None)
    assert builder.lake.sql.rows("changes/sum_up_sync", ["s", "s"]) == [(0, 3, 4, 0, 4, 1, "c", chunk_id("c", "c1"))]


def test_batches_alone_lead_to_the_changes_that_whole_states_lead_to(builder: LakeBuilder):
    builder.title({"a": "one title", "b": "another"})
    builder.publish({"a": ["a1", "a2"], "b": ["b1"], "c": ["c1"], "d": ["d1", "d2"], "e": []})
    bad = builder.publish({"f": ["f1", "f2"]})
    builder.reject(bad)
    before = snapshots(builder.lake)
    first = builder.publish({"a": ["a2", "a3"], "g": ["g1"], "e": ["e1"]}, deleted=("b",))
    second = builder.publish({"a": ["a3", "a4"], "f": ["f2", "f3"]}, deleted=("c", "g"))
    third = builder.publish({"d": ["d2", "d1"]})
    whole = plan(builder.lake, before, sync_id="whole", shards=4)
    alone = plan_of_batches(builder.lake, before, (first, second, third), sync_id="alone")
    assert len(alone) == 10
    assert sorted(alone, key=lambda row: row["chunk_id"]) == [
        row | {"sync_id": "alone"} for row in sorted(whole, key=lambda row: row["chunk_id"])
    ]


def test_a_row_of_an_earlier_batch_is_not_looked_for_among_those_of_the_batches(builder: LakeBuilder):
    builder.publish({"a": ["a1", "a2"]})
    builder.publish({"a": ["a2"]})
    before = snapshots(builder.lake)
    batch_id = builder.publish({"a": ["a1", "a2", "a3"]})
    rows = {row["chunk_id"]: row["source_batch"] for row in plan_of_batches(builder.lake, before, (batch_id,))}
    assert rows == {chunk_id("a", "a1"): None, chunk_id("a", "a3"): batch_id}
