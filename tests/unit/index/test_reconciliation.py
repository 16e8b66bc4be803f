"""How a record may differ from its row, and what a comparison amounts to."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.reconciliation import (
    Comparison,
    allowed,
    corrected,
    described,
    difference,
    fidelity,
    id_groups,
    repairable,
)
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.errors import ConflictError
from embedding_lakehouse.steps.reconcile_index.concluding import conclude_reconciliation

NOW = datetime(2026, 1, 31, tzinfo=UTC)
VECTOR = np.array([1.0, -0.0, 3.5], np.float32)
RECEIPT = {"doc_id": "a.md", "model_version": "small-v1", "chunk_index": 0}
SYNC = Sync(
    "r1", "small", "small-r1", "an-index", 8, "cosine", "small-r1", None, 2, 2, [], 3, 4, "reconcile_index", "a run", NOW.isoformat()
)
COMPARISON = Comparison(SYNC, 4, 1, 0.25, 0)


def counts(**changes: Any) -> dict[str, Any]:
    names = ("missing", "orphaned", "stale", "wrong_profile", "newer")
    found = dict.fromkeys((f"{name}_count" for name in names), 0)
    told = {"reconciliation_id": "r1", "namespace": "n", "index_name": "i", "fidelity": 0.5}
    return found | told | {"expected_count": 100, "compared_count": 100, "is_sample": False, "is_complete": True} | changes


def test_a_record_like_its_row_does_not_differ():
    assert difference(VECTOR, RECEIPT, VECTOR.copy(), dict(RECEIPT, chunk_index=0.0)) is None


def test_a_vector_is_compared_bit_for_bit():
    other = VECTOR.copy()
    other[1] = 0.0
    assert difference(VECTOR, RECEIPT, other, RECEIPT) == ("stale", "has another vector than the lake")


def test_all_that_is_stale_is_named():
    found = RECEIPT | {"chunk_index": 1, "more": True}
    assert difference(VECTOR, RECEIPT, VECTOR * 2, found) == (
        "stale",
        "has another vector than the lake and has other metadata than the lake: chunk_index, more",
    )


def test_metadata_that_is_gone_is_stale():
    assert difference(VECTOR, RECEIPT, VECTOR, {}) == (
        "stale",
        "has other metadata than the lake: chunk_index, doc_id, model_version",
    )


def test_another_model_or_dimension_is_the_wrong_profile():
    assert difference(VECTOR, RECEIPT, VECTOR, RECEIPT | {"model_version": "v9"}).finding == "wrong_profile"
    assert difference(VECTOR, RECEIPT, VECTOR[:2], RECEIPT).finding == "wrong_profile"


@pytest.mark.parametrize(("expected", "groups"), [(0, 1), (20_000, 1), (20_001, 3), (100_000, 9), (10**7, 17)])
def test_ids_are_listed_in_groups_by_their_number(expected: int, groups: int):
    listed = id_groups(expected)
    assert len(listed) == groups
    assert sorted("".join(listed)) == [chr(code) for code in range(32, 127)]


def test_a_comparison_travels_as_keys():
    assert Comparison.of_keys(COMPARISON.as_keys()) == COMPARISON


def test_a_sample_is_the_declared_share_and_another_one_each_time():
    ids = [f"{number:064x}" for number in range(4_000)]
    first = {name for name in ids if COMPARISON.includes(name)}
    second = {name for name in ids if replace(COMPARISON, expected=replace(SYNC, sync_id="r2")).includes(name)}
    assert 900 < len(first) < 1_100
    assert first != second


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({}, 1.0),
        ({"expected_count": 0, "compared_count": 0}, 1.0),
        ({"expected_count": 0, "compared_count": 0, "orphaned_count": 5}, 0.0),
        ({"missing_count": 10, "stale_count": 5, "wrong_profile_count": 5, "compared_count": 90}, 0.8),
        ({"orphaned_count": 100}, 0.5),
        ({"is_sample": True, "compared_count": 10, "stale_count": 1}, 0.9),
    ],
    ids=["equal", "empty", "only foreign", "differing", "half foreign", "sample"],
)
def test_fidelity_is_the_equal_share_of_expected_and_orphaned(changes: dict[str, int], share: float):
    assert fidelity(counts(**changes)) == pytest.approx(share)


def test_foreign_records_are_not_repaired_where_the_listing_was_cut():
    assert repairable(counts(orphaned_count=7, missing_count=2)) == 9
    assert repairable(counts(orphaned_count=7, missing_count=2, is_complete=False)) == 2


def test_a_few_records_are_always_allowed():
    assert (allowed(counts(), 0.01), allowed(counts(expected_count=50_000), 0.01)) == (100, 500)


def test_the_description_says_that_nothing_is_removed_after_a_cut_listing():
    text = described(counts(orphaned_count=7, missing_count=2, is_complete=False), 0.01, [("orphaned", "x", "is foreign")])
    assert "writes 2 records from the lake and removes 0" in text
    assert "not be read to its end" in text
    assert "- `x` orphaned: `is foreign`" in text


@pytest.mark.parametrize(
    "row", [{"open_syncs": ["s1"]}, {"versions_snapshot": 3}, {"record_count": 4, "id_checksum": "ff"}], ids=["open", "moved", "right"]
)
def test_a_release_that_moved_or_is_right_is_not_corrected(row: dict[str, Any]):
    release = {"release_id": "small-r1", "open_syncs": [], "versions_snapshot": 2, "record_count": 9, "id_checksum": None} | row
    assert corrected([release], COMPARISON, "ff", NOW) == []


def test_a_wrong_count_and_checksum_are_corrected():
    release = {"release_id": "small-r1", "open_syncs": [], "versions_snapshot": 2, "record_count": 9, "id_checksum": None}
    (row,) = corrected([release], COMPARISON, "ff", NOW)
    assert (row["record_count"], row["id_checksum"]) == (4, "ff")


@pytest.mark.parametrize("expected", [(0, 4), (4, 0), (4, 3)], ids=["records", "ids", "some ids"])
def test_parts_that_did_not_see_all_that_was_expected_are_not_concluded(expected: tuple[int, int]):
    found = [{"expected": expected[0], "compared": 0, "files": []}, {"expected": expected[1], "listed": 4, "message": "", "files": []}]
    with pytest.raises(ConflictError, match="concluded before"):
        conclude_reconciliation([{"comparison": COMPARISON.as_keys()}], found, Lake(None, None))
