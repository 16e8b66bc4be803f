"""What a batch will do and cost, whether somebody must approve it, and whether the profile's budget allows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from embedding_lakehouse.core.alerts import shortened
from embedding_lakehouse.core.batches import DISCARDED, FEW_DELETES, PUBLISHED, ROLL_BACK, BatchRow
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.texts import code
from embedding_lakehouse.errors import ApprovalRequired, BudgetExceeded

# Published batches from which the next one's time is estimated.
RECENT_BATCHES = 10
LONGEST_ID = 120


@dataclass(frozen=True, slots=True)
class LargeDocument:
    """A document with much to embed: its characters in chunks that no vector is known for."""

    doc_id: str
    character_count: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a profile's batches cost in US dollars, this day and this month (UTC); open ones count with their estimate."""

    today: float
    this_month: float


def spent(rows: Sequence[BatchRow], profile: str, now: datetime) -> Spent:
    """What the profile's batches planned since midnight, and since the first of the month, have cost or will."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    own = [row for row in rows if row["profile"] == profile and row.get("kind") != ROLL_BACK]

    def since(start: datetime) -> float:
        return sum(_price(row) for row in own if row["planned_at"] >= start)

    return Spent(since(midnight), since(midnight.replace(day=1)))


def _price(row: BatchRow) -> float:
    if row["price"] is not None:
        return float(row["price"])
    return 0.0 if row["state"] == DISCARDED else row["price_estimated"] or 0.0


def check_budget(rows: Sequence[BatchRow], profile: Profile, price: float, now: datetime) -> None:
    """Raise BudgetExceeded where a batch of this price would pass what the profile may spend this day or this month.

    What costs nothing always passes: deletes and reused vectors are not to wait for money.
    """
    so_far, budget = spent(rows, profile.name, now), profile.budget
    next_month = (now.replace(day=1) + timedelta(days=32)).replace(day=1)
    windows = (
        ("today", "usd_per_day", budget.usd_per_day, so_far.today, now + timedelta(days=1)),
        ("this month", "usd_per_month", budget.usd_per_month, so_far.this_month, next_month),
    )
    for window, setting, allowed, used, again in windows:
        if price and allowed and used + price > allowed:
            way_on = (
                f"budgets begin anew on {again:%Y-%m-%d} UTC"
                if price <= allowed
                else "the batch alone is above it, so lower batch.documents as well, or it never fits"
            )
            raise BudgetExceeded(
                f"profile {profile.name!r} has spent {_usd(used)} of its {_usd(allowed)} for {window} (budget.{setting}); the next batch "
                f"is estimated at {_usd(price)} and was given up, nothing was embedded. Raise the budget, or wait: {way_on}"
            )


def approval_reasons(row: BatchRow, profile: Profile, allow_deletes: bool) -> list[str]:
    """Why a priced batch is to be approved by somebody before it is embedded: each limit of the profile that it is above."""
    reasons = []
    if profile.approval.usd and row["price_estimated"] > profile.approval.usd:
        reasons.append(f"it is estimated at {_usd(row['price_estimated'])}, above {_usd(profile.approval.usd)} (approval.usd)")
    if profile.approval.texts and row["texts_embedded"] > profile.approval.texts:
        reasons.append(f"it embeds {row['texts_embedded']:,} texts, above {profile.approval.texts:,} (approval.texts)")
    gone, current = row["documents_gone"] or 0, row["documents_current"] or 0
    # A corpus of ten documents may lose three without a question, unless nothing would be left.
    many = gone > FEW_DELETES and gone / current > profile.batch.delete_share
    if not allow_deletes and gone and (many or gone == current):
        reasons.append(
            f"{gone:,} of {current:,} embedded documents are gone from docs_db.source_documents, above {profile.batch.delete_share:.0%} "
            "(batch.delete_share)"
        )
    return reasons


def check_approved(row: BatchRow) -> None:
    """Raise ApprovalRequired for a batch above a limit of its profile that nobody has approved."""
    if row["approval_reasons"] and not row["approved_by"]:
        raise ApprovalRequired(
            f"batch {row['batch_id']} waits for approval: {'; '.join(row['approval_reasons'])}. Approve it in the Airflow UI (the task "
            "approve_plan of its run), or trigger embed_documents, which asks again"
        )


def estimated_seconds(rows: Sequence[BatchRow], profile: Profile, tokens: int, texts: int) -> float | None:
    """How long a batch of so many tokens and new texts takes from its plan to its publication, from the profile's recent ones of its kind.

    Batches count by their tokens, and the middle one decides: one that waited a night for its repair does not. A purchase in bulk takes
    its time whatever its size. None without a batch of its kind.
    """
    in_bulk = profile.is_bought_in_bulk(texts)
    published = [row for row in rows if row["profile"] == profile.name and row["state"] == PUBLISHED and row["committed_at"]]
    alike = [row for row in published if profile.is_bought_in_bulk(row["texts_embedded"] or 0) == in_bulk]
    recent = sorted(alike, key=lambda row: row["batch_number"])[-RECENT_BATCHES:]
    if not recent:
        return None
    other = _middle(
        [((row["priced_at"] - row["planned_at"] + (row["published_at"] - row["committed_at"])).total_seconds(), 1) for row in recent]
    )
    if in_bulk:
        return other + _middle([(embedding_seconds(row), 1) for row in recent])
    embedding = [(embedding_seconds(row) / row["tokens_estimated"], row["tokens_estimated"]) for row in recent if row["tokens_estimated"]]
    return other + tokens * (_middle(embedding) if embedding else 0.0)


def embedding_seconds(row: BatchRow) -> float:
    """How long it took until a batch's vectors were committed, without what was before its approval."""
    return float((row["committed_at"] - (row["approved_at"] or row["priced_at"])).total_seconds())


def _middle(weighted: list[tuple[float, int]]) -> float:
    """The weighted median: the value below which half of the weight lies."""
    half, reached = sum(weight for _, weight in weighted) / 2, 0
    for value, weight in sorted(weighted):
        reached += weight
        if reached >= half:
            return value
    raise ValueError("nothing is in the middle of nothing")


def description(row: BatchRow, profile: Profile, largest: Sequence[LargeDocument], so_far: Spent) -> str:
    """The plan as a person reads it before approving it, in Markdown."""
    reused = (row["chunks_kept"] or 0) + (row["chunks_copied"] or 0)
    lines = [
        f"Batch {row['batch_id']} of profile {profile.name} ({profile.model_name}), source snapshot {row['source_snapshot']}",
        f"Documents: {row['documents_new']:,} new, {row['documents_changed']:,} changed, {row['documents_deleted']:,} deleted; "
        f"{row['documents_remaining']:,} are left for later batches",
        f"Chunks: {row['chunks_planned']:,} planned, {reused:,} reused, {row['chunks_embedded']:,} to embed, "
        f"which are {row['texts_embedded']:,} distinct texts",
        f"Tokens: about {row['tokens_estimated']:,}; price: about {_usd(row['price_estimated'])}; reuse saves about "
        f"{_usd(row['price_saved'])}",
        f"Time: {_duration(row['seconds_estimated'])}",
        _bulk_line(row, profile),
        _budget_line(profile, so_far),
    ]
    if largest:
        shown = ", ".join(f"{_in_a_line(document.doc_id)} ({document.character_count:,} characters)" for document in largest)
        lines.append(f"Largest documents to embed: {shown}")
    if row["approval_reasons"]:
        lines.append(f"Needs approval: {'; '.join(row['approval_reasons'])}")
    return "\n".join(f"- {line}" for line in lines if line)


def outcome(row: BatchRow) -> str:
    """Estimate against actual of a committed batch, in a line."""
    return (
        f"batch {row['batch_id']}: {row['tokens_embedded']:,} tokens in {row['requests']:,} requests for {_usd(row['price'])}; estimated "
        f"were {row['tokens_estimated']:,} tokens for {_usd(row['price_estimated'])}"
    )


def _bulk_line(row: BatchRow, profile: Profile) -> str:
    if not profile.is_bought_in_bulk(row["texts_embedded"]):
        return ""
    return f"Bought in bulk at {profile.bulk.price_share:.0%} of the usual price, which may take {profile.bulk.wait_hours:g} hours more"


def _budget_line(profile: Profile, so_far: Spent) -> str:
    budget = profile.budget
    windows = ((so_far.today, budget.usd_per_day, "today"), (so_far.this_month, budget.usd_per_month, "this month"))
    used = [f"{_usd(used)} of {_usd(allowed)} {window}" for used, allowed, window in windows if allowed]
    return f"Budget used with this batch: {', '.join(used)}" if used else ""


def _in_a_line(doc_id: str) -> str:
    """A document's id, which may be anything that a file can be called."""
    return code(shortened(" ".join(doc_id.split()), LONGEST_ID))


def _usd(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4g}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "not known before the profile's first batch of this kind"
    if seconds < 90:
        return f"about {seconds:.0f} seconds"
    return f"about {seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"about {seconds / 3600:.1f} hours"
