"""Which moment everything is kept from, when rewriting pays, and which work is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from embedding_lakehouse.core.maintenance import (
    Done,
    Figures,
    Rules,
    described,
    finished_keys,
    history_to_keep,
    is_compaction_worth_it,
    is_manifest_compaction_worth_it,
    keeps_from,
    made_at,
)
from embedding_lakehouse.errors import InputError

NOW, WEEK = datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=7)
FIGURES = Figures(10, 2, 1000, 0, 2, 2, 3, 900, 4, 1, 5000, 20, 9000, 0.01)
PARAMS = {"target_megabytes": 64, "small_files": 4, "snapshot_days": 7, "receipt_days": 90, "orphan_days": 2}


def test_everything_is_kept_since_the_declared_age() -> None:
    assert keeps_from([], [], NOW, WEEK) == NOW - WEEK


@pytest.mark.parametrize(("state", "is_kept"), [("priced", True), ("blocked", True), ("published", False), ("discarded", False)])
def test_an_open_batch_keeps_everything_since_it_was_planned(state: str, is_kept: bool) -> None:
    planned_at = NOW - 4 * WEEK
    assert (keeps_from([{"state": state, "planned_at": planned_at}], [], NOW, WEEK) == planned_at) is is_kept


def test_a_half_built_release_keeps_everything_since_it_was_begun() -> None:
    begun = NOW - 2 * WEEK
    assert (
        keeps_from([], [{"state": "building", "created_at": begun}, {"state": "retired", "created_at": begun - WEEK}], NOW, WEEK) == begun
    )


def test_receipts_live_at_least_as_long_as_snapshots() -> None:
    with pytest.raises(InputError, match="receipt_days"):
        Rules.of_params(PARAMS | {"receipt_days": 3}, is_dry_run=True)


def test_rules_travel_between_tasks() -> None:
    rules = Rules.of_params(PARAMS, is_dry_run=False)
    assert Rules.of_keys(rules.as_keys()) == rules
    assert (rules.receipt_age, rules.target_bytes) == (timedelta(days=90), 64_000_000)


@pytest.mark.parametrize(("most_small", "deletes", "is_worth_it"), [(7, 7, False), (8, 0, True), (0, 8, True)])
def test_a_rewrite_is_worth_it_from_so_many_files(most_small: int, deletes: int, is_worth_it: bool) -> None:
    assert is_compaction_worth_it(replace(FIGURES, most_small_files=most_small, delete_file_count=deletes), Rules()) is is_worth_it


@pytest.mark.parametrize(
    ("count", "size", "is_worth_it"), [(7, 100, False), (8, 100, True), (8, 40_000_000, False), (10, 40_000_000, True)]
)
def test_manifests_are_rewritten_where_far_fewer_would_do(count: int, size: int, is_worth_it: bool) -> None:
    assert is_manifest_compaction_worth_it(replace(FIGURES, manifest_count=count, manifest_bytes=size), Rules()) is is_worth_it


def test_work_is_over_that_began_before_and_that_nobody_needs() -> None:
    old, needed, young = "20260101T000000-aaaaaa", "20260101T000000-bbbbbb", "20260228T230000-cccccc"
    assert finished_keys([young, needed, old, "made by hand"], [needed], NOW - timedelta(days=1)) == [old]


def test_an_id_says_when_its_work_began() -> None:
    assert made_at("20260131T235959-1f9c04") == datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert made_at("small-0001") is None


def test_of_a_history_the_changes_are_kept() -> None:
    assert history_to_keep([(1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "a")]) == [1, 3, 4]


def test_a_table_with_nothing_to_do_says_so() -> None:
    assert described("a.b", FIGURES, FIGURES, Done(), is_dry_run=True).startswith("a.b: nothing to do\n")


def test_a_dry_run_says_what_it_would_do() -> None:
    said = described(
        "a.b", FIGURES, FIGURES, Done(is_compacted=True, files_removed=2, bytes_removed=2_500, left=["a race"]), is_dry_run=True
    )
    assert "would have rewritten its small files, would have removed 2 files of 2.5 kB" in said
    assert said.endswith("left:        a race")
