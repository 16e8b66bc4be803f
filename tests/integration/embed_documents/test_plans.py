"""Plan, approve, apply, and what it cost: against the real tables, under a profile that has a price."""

from collections.abc import Callable
from pathlib import Path

import pytest

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.batches import BatchRow
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.errors import ApprovalRequired, BudgetExceeded, ConflictError, NothingToDo
from embedding_lakehouse.steps.embed_documents import embedding, planning
from tests.batches import BatchRun, current_documents, put_documents, run_batch
from tests.lake_fixtures import PROFILES, declare

SHARED = "Both of the documents share this paragraph."
FIRST, SECOND = "The first text is a text of its own.", "The second text, which is a longer one."
DOCUMENTS = {"a.md": f"{FIRST}\n\n{SHARED}", "b.md": f"{SECOND}\n\n{SHARED}"}
# A dollar a token: what is counted can be read off the price.
DOLLAR = 'model_version = "small-v1"\nusd_per_million_tokens = 1000000'


@pytest.fixture
def limited(profiles: Path) -> Callable[[str], None]:
    """Declare the profile with a price and these settings."""

    def limit(settings: str = "") -> None:
        declare(profiles, PROFILES.replace('model_version = "small-v1"', f"{DOLLAR}\n{settings}"))

    limit()
    return limit


def rows(lake: Lake) -> list[BatchRow]:
    return batches.journal(lake).rows()


def heads(lake: Lake) -> list[int]:
    return [lake.table(table).current_snapshot().snapshot_id for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)]


def refs(lake: Lake) -> list[str]:
    return [ref for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS) for ref in lake.table(table).refs()]


def test_a_plan_tells_documents_texts_tokens_and_price(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    run = BatchRun(lake).until("price")
    row = run.row
    assert (row["documents_new"], row["chunks_planned"], row["chunks_embedded"], row["texts_embedded"]) == (2, 4, 4, 3)
    assert row["price_estimated"] == row["tokens_estimated"] > 0
    assert not run.priced.needs_approval
    assert "2 new, 0 changed, 0 deleted" in run.priced.description
    characters = [len(text) + len(SHARED) for text in (SECOND, FIRST)]
    assert "Largest documents to embed: `b.md` ({} characters), `a.md` ({} characters)".format(*characters) in run.priced.description


def test_what_is_reused_is_money_saved(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    first = run_batch(lake)
    put_documents(lake, DOCUMENTS | {"a.md": f"{FIRST}\n\nAnother ending, which no other document has."})
    second = run_batch(lake)
    # In the first batch the second copy of what both share, in the second the paragraph that stayed.
    assert first.row["price_saved"] == first.row["tokens_reused"] == len(SHARED) // 4
    assert second.row["price_saved"] == second.row["tokens_reused"] == len(FIRST) // 4


def test_a_dry_run_ends_with_the_plan(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    before = heads(lake)
    run = BatchRun(lake, is_dry_run=True, asked={"dry_run": True, "accept_checks": []})
    with pytest.raises(NothingToDo, match=r"(?s)nothing was embedded\. The plan:.*2 new"):
        run.until("price")
    assert [(row["state"], row["price"], row["message"]) for row in rows(lake)] == [("discarded", 0.0, "a dry run: a run")]
    assert (heads(lake), refs(lake), run.model.texts) == (before, ["main", "main"], [])
    run_batch(lake)
    assert set(current_documents(lake)) == set(DOCUMENTS)


def test_a_dry_run_leaves_the_open_batch_of_another_run_as_it_is(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    BatchRun(lake, run_id="abandoned").until("chunk")
    before = rows(lake)
    with pytest.raises(NothingToDo, match="2 new"):
        BatchRun(lake, run_id="looking", is_dry_run=True, asked={"dry_run": True, "accept_checks": []}).until("price")
    assert rows(lake) == before
    run_batch(lake)
    assert set(current_documents(lake)) == set(DOCUMENTS)


def test_above_the_limit_nothing_is_embedded_before_somebody_approves(lake: Lake, limited: Callable) -> None:
    limited("approval = { texts = 2 }")
    put_documents(lake, DOCUMENTS)
    run = BatchRun(lake).until("price")
    assert run.priced.needs_approval and "it embeds 3 texts, above 2 (approval.texts)" in run.priced.description
    with pytest.raises(ApprovalRequired, match=f"batch {run.batch_id} waits for approval: it embeds 3 texts"):
        run.embed()
    assert run.model.texts == []


def test_what_was_approved_is_what_is_applied_by_whatever_run(lake: Lake, limited: Callable) -> None:
    limited("approval = { texts = 2 }")
    put_documents(lake, DOCUMENTS)
    asked = BatchRun(lake).until("price")
    planned = asked.row
    planning.approve_batch(asked.batch_id, "ada", lake)
    put_documents(lake, {"c.md": "What came after the approval."})
    resumed = run_batch(lake)
    assert not resumed.priced.needs_approval
    assert (resumed.batch_id, resumed.row["approved_by"], resumed.row["source_snapshot"]) == (
        asked.batch_id,
        "ada",
        planned["source_snapshot"],
    )
    assert set(current_documents(lake)) == set(DOCUMENTS)


def test_refused_nothing_happened(lake: Lake, limited: Callable) -> None:
    limited("approval = { usd = 1 }")
    put_documents(lake, DOCUMENTS)
    before = heads(lake)
    run = BatchRun(lake).until("price")
    planning.refuse_batch(run.batch_id, "ada", lake)
    assert (run.row["state"], run.row["message"], run.row["price"]) == ("discarded", "refused by ada", 0.0)
    assert (heads(lake), refs(lake)) == (before, ["main", "main"])
    with pytest.raises(ConflictError, match=rf"batch {run.batch_id} was given up \(refused by ada\): trigger embed_documents"):
        run.price()
    assert BatchRun(lake).until("price").row["documents_new"] == 2


def test_consent_to_deletes_by_a_param_counts_for_a_batch_that_waits(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    run_batch(lake)
    put_documents(lake, {})
    assert BatchRun(lake, allow_deletes=False).until("price").priced.needs_approval
    assert not run_batch(lake, allow_deletes=True).priced.needs_approval
    assert current_documents(lake) == {}


def test_a_budget_stops_a_batch_before_it_is_embedded(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    spent = run_batch(lake).row["price"]
    limited(f"budget = {{ usd_per_day = {spent + 1} }}")
    put_documents(lake, DOCUMENTS | {"c.md": "A third text that costs more than what is left of the day's budget."})
    before = heads(lake)
    run = BatchRun(lake)
    with pytest.raises(BudgetExceeded, match=r"profile 'small' has spent .* for today \(budget\.usd_per_day\).*nothing was embedded"):
        run.until("price")
    assert (heads(lake), refs(lake), run.model.texts, run.row["state"]) == (before, ["main", "main"], [], "discarded")
    limited()
    assert run_batch(lake).row["documents_new"] == 1


def test_deletes_and_reused_texts_do_not_wait_for_money(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    run_batch(lake)
    limited("budget = { usd_per_month = 1 }")
    put_documents(lake, {"copy.md": DOCUMENTS["a.md"]})
    assert run_batch(lake).row["price"] == 0.0
    assert set(current_documents(lake)) == {"copy.md"}


def test_a_batch_that_was_begun_within_the_budget_is_finished(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    begun = BatchRun(lake).until("price")
    limited("budget = { usd_per_day = 1 }")
    assert run_batch(lake).batch_id == begun.batch_id


def test_estimate_and_actual_are_recorded(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    run = run_batch(lake)
    counts = run.result["embed"]
    assert run.row["requests"] == sum(count["requests"] for count in counts) > 0
    assert run.row["tokens_embedded"] == run.row["price"] == sum(count["tokens"] for count in counts) > 0


def test_what_a_killed_try_bought_is_in_the_price(lake: Lake, limited: Callable) -> None:
    put_documents(lake, {f"{number}.md": f"Text number {number}, which is unlike all others." for number in range(12)})
    killed = BatchRun(lake).until("price")
    first, *_ = killed.result["price"]
    bought = embedding.embed_chunks(**first, lake=lake, model=killed.model)
    resumed = run_batch(lake)
    assert bought["texts_embedded"] > 0
    assert resumed.row["tokens_embedded"] == bought["tokens"] + sum(count["tokens"] for count in resumed.result["embed"])


def test_a_batch_that_is_given_up_keeps_what_it_cost(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    abandoned = BatchRun(lake).until("embed")
    again = BatchRun(lake, discard_open=True).until("price")
    assert abandoned.row["price"] == sum(count["tokens"] for count in abandoned.result["embed"]) > 0
    assert again.row["price"] is None


def test_the_second_batch_knows_how_long_the_first_took(lake: Lake, limited: Callable) -> None:
    put_documents(lake, DOCUMENTS)
    assert run_batch(lake).row["seconds_estimated"] is None
    put_documents(lake, DOCUMENTS | {"c.md": "A third text."})
    assert BatchRun(lake).until("price").row["seconds_estimated"] > 0
