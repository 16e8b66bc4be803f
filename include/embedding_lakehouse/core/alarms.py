"""When something must be looked at, and when an alarm that was raised before is raised again."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from embedding_lakehouse.core.drift_measures import CHUNKING, INDEX, MODEL, PROVIDER, SOURCE, THRESHOLDS

DRIFT, LOW_FIDELITY, MISSED_FRESHNESS = "drift", "low_fidelity", "missed_freshness"
LEAST_FIDELITY = 1 - (THRESHOLDS["index_fidelity"].limit or 0)
REPEATED_AFTER = timedelta(days=1)
TO_DO = {
    MODEL: "see embeddings_db.embedding_batches for the batches of the other model, and roll them back or embed under a profile of its own",
    CHUNKING: "undo the change of the splitter or its settings, or declare a new profile with it and move to that",
    PROVIDER: "hold embed_documents back, ask the provider what changed, and embed under a new profile with a new model_version",
    SOURCE: "look at what the source brought since: if it is wrong, mend it and roll the batches back; if it is meant, trigger "
    "monitor_embeddings with `accept`",
    INDEX: "run reconcile_index; where recall stays low, rebuild the index with rebuild_index",
}

AlertRow = dict[str, Any]


def is_repeat(alerts: Iterable[AlertRow], kind: str, profile: str, since_at: datetime | None, now: datetime) -> bool:
    """Whether the same alarm (kind, profile, since) was raised within the last day."""
    return any(
        row["kind"] == kind and row["profile"] == profile and row["since_at"] == since_at and now - row["raised_at"] < REPEATED_AFTER
        for row in alerts
    )


def unrepaired_since(reconciliations: list[dict[str, Any]], repaired: set[str]) -> datetime | None:
    """When the first of an unbroken series of comparisons found the index short of the limit, up to the newest; None where that did not.

    Each is a row of index_reconciliations of one release; one whose repair was applied is no shortfall any more.
    """
    first = None
    for row in sorted(reconciliations, key=lambda row: row["finished_at"], reverse=True):
        if not is_low(row, repaired):
            break
        first = row["finished_at"]
    return first


def is_low(reconciliation: dict[str, Any], repaired: set[str]) -> bool:
    """Whether the index fell short of the limit and was not repaired."""
    return bool(reconciliation["fidelity"] < LEAST_FIDELITY and reconciliation["repair_sync_id"] not in repaired)
