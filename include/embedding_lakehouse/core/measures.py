"""What is reported of a batch, a profile's spending and an index while the lakehouse works, by the names of its metrics."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from embedding_lakehouse.core.batches import BatchRow
from embedding_lakehouse.core.plans import embedding_seconds, spent

Figures = dict[str, float | None]


def batch_figures(row: BatchRow) -> Figures:
    """Of a batch that was just published."""
    seconds = embedding_seconds(row)
    return {
        "batch.documents": row["documents_new"] + row["documents_changed"] + row["documents_deleted"],
        "batch.chunks_embedded": row["chunks_embedded"],
        "batch.chunks_rejected": row["chunks_rejected"],
        "batch.texts_embedded": row["texts_embedded"],
        "batch.texts_per_second": row["texts_embedded"] / seconds if seconds > 0 else None,
        "batch.tokens_reused": row["tokens_reused"],
        "batch.usd": row["price"],
        "batch.seconds": (row["published_at"] - row["planned_at"]).total_seconds(),
        "documents.waiting": row["documents_remaining"],
    }


def spending_figures(rows: Sequence[BatchRow], profile: str, now: datetime) -> Figures:
    """What the profile's batches have cost in US dollars, this day and this month (UTC)."""
    so_far = spent(rows, profile, now)
    return {"spend.usd_today": so_far.today, "spend.usd_this_month": so_far.this_month}


def sync_figures(upserted: int, deleted: int, published_at: datetime | None, now: datetime) -> Figures:
    """Of a sync that was just recorded; the lag is the age of the newest batch that it brought, in seconds."""
    lag = (now - published_at).total_seconds() if published_at else None
    return {"index.records_upserted": upserted, "index.records_deleted": deleted, "index.lag_seconds": lag}


def fidelity_figures(figures: Mapping[str, Any]) -> Figures:
    """Of a comparison of the index with the record; fidelity is a share."""
    counted = ("missing", "orphaned", "stale", "wrong_profile")
    return {"index.fidelity": figures["fidelity"]} | {f"index.records_{name}": figures[f"{name}_count"] for name in counted}
