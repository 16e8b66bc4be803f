"""What a plan says, when it must be approved, and what the budget allows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from embedding_lakehouse.core.bulk import BulkBuying
from embedding_lakehouse.core.plans import (
    LargeDocument,
    Spent,
    approval_reasons,
    check_approved,
    check_budget,
    description,
    estimated_seconds,
    outcome,
    spent,
)
from embedding_lakehouse.core.profiles import ApprovalLimits, BatchLimits, Budget, Profile
from embedding_lakehouse.core.usage import Usage
from embedding_lakehouse.errors import ApprovalRequired, BudgetExceeded

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
PROFILE = Profile("docs", "wordllama", "m", "m-v1", 8, usd_per_million_tokens=2.0)
PRICED: dict[str, Any] = {
    "batch_id": "b",
    "batch_number": 7,
    "profile": "docs",
    "kind": None,
    "state": "priced",
    "source_snapshot": 11,
    "documents_new": 1,
    "documents_changed": 2,
    "documents_deleted": 3,
    "documents_remaining": 4_000,
    "documents_current": 100,
    "documents_gone": 0,
    "chunks_planned": 60,
    "chunks_kept": 20,
    "chunks_copied": 10,
    "chunks_embedded": 30,
    "texts_embedded": 25,
    "tokens_estimated": 1_000_000,
    "price_estimated": 2.0,
    "price_saved": 1.5,
    "seconds_estimated": None,
    "approval_reasons": None,
    "approved_by": None,
    "approved_at": None,
    "price": None,
    "planned_at": NOW,
}


def test_what_costs_little_and_deletes_little_needs_no_approval() -> None:
    assert approval_reasons(PRICED, PROFILE, allow_deletes=False) == []


# (limits, is it above them): just the limit is not above it, and 0 is none.
@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (ApprovalLimits(usd=2.0), []),
        (ApprovalLimits(usd=1.99), ["approval.usd"]),
        (ApprovalLimits(texts=25), []),
        (ApprovalLimits(texts=24), ["approval.texts"]),
        (ApprovalLimits(usd=0.01, texts=1), ["approval.usd", "approval.texts"]),
    ],
)
def test_a_batch_above_a_limit_names_it(limits: ApprovalLimits, named: list[str]) -> None:
    reasons = approval_reasons(PRICED, replace(PROFILE, approval=limits), allow_deletes=False)
    assert [name for reason in reasons for name in ("approval.usd", "approval.texts") if name in reason] == named


# (gone, current): the limit is a fifth, up to five are never asked about, all of them always are.
FEW = [(0, 0), (0, 100), (5, 6), (5, 10), (6, 30), (20, 100), (200, 1_000)]
MANY = [(1, 1), (5, 5), (6, 29), (21, 100), (201, 1_000), (1_000, 1_000)]


def deleting(gone: int, current: int) -> dict[str, Any]:
    return PRICED | {"documents_gone": gone, "documents_current": current}


@pytest.mark.parametrize(("gone", "current"), FEW)
def test_few_deletes_need_no_approval(gone: int, current: int) -> None:
    assert approval_reasons(deleting(gone, current), PROFILE, allow_deletes=False) == []


@pytest.mark.parametrize(("gone", "current"), MANY)
def test_many_deletes_need_approval(gone: int, current: int) -> None:
    (reason,) = approval_reasons(deleting(gone, current), PROFILE, allow_deletes=False)
    assert f"{gone:,} of {current:,} embedded documents are gone" in reason and "20%" in reason and "batch.delete_share" in reason


@pytest.mark.parametrize(("gone", "current"), MANY)
def test_who_consented_to_deletes_is_not_asked(gone: int, current: int) -> None:
    assert approval_reasons(deleting(gone, current), PROFILE, allow_deletes=True) == []


@pytest.mark.parametrize("limit", [0.0, 0.07, 0.2, 0.29, 0.58, 1.0])
def test_just_the_share_of_deletes_needs_no_approval(limit: float) -> None:
    profile = replace(PROFILE, batch=BatchLimits(delete_share=limit))
    assert approval_reasons(deleting(round(100 * limit) if limit < 1 else 99, 100), profile, allow_deletes=False) == []


def test_a_batch_above_a_limit_waits_until_somebody_approved_it() -> None:
    waiting = PRICED | {"approval_reasons": ["it is estimated at $2.00"]}
    with pytest.raises(ApprovalRequired, match=r"batch b waits for approval: it is estimated at \$2\.00.*approve_plan"):
        check_approved(waiting)
    assert check_approved(waiting | {"approved_by": "ada"}) is None
    assert check_approved(PRICED) is None


def test_what_was_spent_is_of_this_day_and_month_and_profile() -> None:
    rows = [
        PRICED | {"price": 0.5, "state": "published"},
        PRICED | {"price": 0.25, "state": "published", "planned_at": NOW - timedelta(hours=12, seconds=1)},
        PRICED | {"price": 8.0, "state": "published", "planned_at": datetime(2026, 2, 28, 23, 59, tzinfo=UTC)},
        PRICED | {"price": 16.0, "profile": "other", "state": "published"},
        PRICED | {"kind": "roll_back", "price_estimated": None},
    ]
    assert spent(rows, "docs", NOW) == Spent(0.5, 0.75)


def test_an_open_batch_counts_with_its_estimate_and_a_discarded_one_with_what_it_bought() -> None:
    rows = [PRICED, PRICED | {"state": "discarded"}, PRICED | {"state": "discarded", "price": 0.125}]
    assert spent(rows, "docs", NOW).today == 2.125


SPENT = [PRICED | {"price": 3.0, "state": "published"}]


@pytest.mark.parametrize(
    ("budget", "price"), [(Budget(), 1e9), (Budget(usd_per_day=5.0), 2.0), (Budget(0.0, 5.0), 2.0), (Budget(1.0, 1.0), 0.0)]
)
def test_what_fits_the_budget_or_costs_nothing_passes(budget: Budget, price: float) -> None:
    assert check_budget(SPENT, replace(PROFILE, budget=budget), price, NOW) is None


@pytest.mark.parametrize(
    ("budget", "price", "said"),
    [
        (Budget(usd_per_day=5.0), 2.01, r"spent \$3\.00 of its \$5\.00 for today \(budget\.usd_per_day\).*\$2\.01.*anew on 2026-03-11 UTC"),
        (Budget(usd_per_month=5.0), 2.01, r"for this month \(budget\.usd_per_month\).*anew on 2026-04-01 UTC"),
        (Budget(usd_per_day=5.0), 5.01, r"the batch alone is above it, so lower batch\.documents"),
    ],
)
def test_a_batch_that_would_pass_the_budget_is_stopped(budget: Budget, price: float, said: str) -> None:
    with pytest.raises(BudgetExceeded, match=said):
        check_budget(SPENT, replace(PROFILE, budget=budget), price, NOW)


def published(number: int, tokens: int, embedding_seconds: float, **others: Any) -> dict[str, Any]:
    priced = NOW + timedelta(seconds=10)
    committed = priced + timedelta(seconds=embedding_seconds)
    times = {"priced_at": priced, "committed_at": committed, "published_at": committed + timedelta(seconds=5)}
    return PRICED | times | {"state": "published", "batch_number": number, "tokens_estimated": tokens} | others


def test_a_first_batch_has_no_estimated_time() -> None:
    assert estimated_seconds([PRICED], PROFILE, 1_000, 25) is None


def test_the_time_is_estimated_from_recent_batches_by_their_tokens() -> None:
    assert estimated_seconds([published(1, 1_000, 20.0)], PROFILE, 500, 25) == 15 + 10


def test_a_batch_that_waited_a_night_does_not_decide() -> None:
    rows = [published(1, 1_000, 20.0), published(2, 1_000, 20.0), published(3, 900, 30_000.0)]
    assert estimated_seconds(rows, PROFILE, 500, 25) == 25


def test_waiting_for_approval_is_no_time_of_embedding() -> None:
    approved = NOW + timedelta(seconds=10 + 3_600)
    row = published(1, 1_000, 3_620.0, approved_at=approved)
    assert estimated_seconds([row], PROFILE, 1_000, 25) == 15 + 20


def test_what_reuses_everything_takes_as_long_as_the_rest_of_a_batch() -> None:
    assert estimated_seconds([published(1, 0, 2.0)], PROFILE, 1_000, 25) == 15


def test_a_purchase_in_bulk_is_estimated_from_those_before_it_alone() -> None:
    profile = replace(PROFILE, bulk=BulkBuying(above_texts=100))
    at_once, in_bulk = published(1, 1_000, 20.0, texts_embedded=100), published(2, 50_000, 7_200.0, texts_embedded=101)
    assert estimated_seconds([at_once], profile, 90_000, 5_000) is None
    assert estimated_seconds([at_once, in_bulk], profile, 90_000, 5_000) == 15 + 7_200
    assert estimated_seconds([at_once, in_bulk], profile, 500, 100) == 15 + 10


def test_the_plan_says_what_a_person_needs_for_a_decision() -> None:
    row = PRICED | {"seconds_estimated": 600.0, "approval_reasons": ["it is estimated at $2.00, above $1.00 (approval.usd)"]}
    profile = replace(PROFILE, budget=Budget(usd_per_day=10.0))
    told = description(row, profile, [LargeDocument("big.md", 123_456)], Spent(2.5, 7.0))
    for said in (
        "1 new, 2 changed, 3 deleted; 4,000 are left",
        "60 planned, 30 reused, 30 to embed, which are 25 distinct texts",
        "about 1,000,000; price: about $2.00; reuse saves about $1.50",
        "about 10 minutes",
        "$2.50 of $10.00 today",
        "`big.md` (123,456 characters)",
        "Needs approval: it is estimated at $2.00, above $1.00 (approval.usd)",
        "source snapshot 11",
    ):
        assert said in told


def test_a_document_of_any_name_stays_in_its_line() -> None:
    told = description(PRICED, PROFILE, [LargeDocument("a\n- Tokens: none\r\n" + "x" * 1_000, 9)], Spent(0, 0))
    (line,) = [line for line in told.splitlines() if "Largest" in line]
    assert "a - Tokens: none xxx" in line and len(line) < 250 and len(told.splitlines()) == 6


def test_a_plan_without_limits_says_nothing_of_them() -> None:
    told = description(PRICED, PROFILE, [], Spent(2.0, 2.0))
    assert not any(word in told for word in ("Budget", "approval", "Largest")) and "not known before the profile's first batch" in told


def test_estimate_and_actual_stand_side_by_side() -> None:
    row = PRICED | {"tokens_embedded": 1_100_000, "requests": 12, "price": 2.2}
    assert outcome(row) == "batch b: 1,100,000 tokens in 12 requests for $2.20; estimated were 1,000,000 tokens for $2.00"


def test_what_was_paid_for_survives_in_a_files_metadata() -> None:
    paid = Usage(2, 300, 0.5) + Usage(1, 30, 0.25)
    assert Usage.of_metadata(paid.as_metadata() | {"ARROW:schema": "…"}) == Usage(3, 330, 0.75)
    assert (Usage().as_metadata(), Usage.of_metadata({})) == ({}, Usage())
