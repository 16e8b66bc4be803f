"""Repair what a comparison found, as a sync from the release's watermark to the same watermark: proposed first, then planned."""

from typing import Any

from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.reconciliations import Reconciliations
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_plans import Shard, Span, new_sync, open_plan
from embedding_lakehouse.core.reconciliation import Comparison, Figures, allowed, described, repairable
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.errors import ConflictError, NothingToDo

EXAMPLES = 5


def propose_repair(
    figures: Figures, repair: str = "auto", repair_limit: float = 0.01, ask: bool = True, lake: Lake | None = None
) -> dict[str, Any]:
    """Whether the repair of what was found needs a person's consent, and its description. Raises NothingToDo where there is none."""
    changes = repairable(figures)
    if not changes:
        raise NothingToDo(f"the comparison {figures['reconciliation_id']} found nothing that is to be repaired")
    if repair == "never":
        raise NothingToDo(f"{changes} records would be repaired: trigger reconcile_index with repair = auto")
    examples = Reconciliations(lake or connect()).examples(figures["reconciliation_id"], EXAMPLES)
    return {
        "needs_consent": ask and changes > allowed(figures, repair_limit),
        "description": described(figures, repair_limit, examples),
    }


def plan_repair(figures: Figures, dag_id: str = "", run_id: str = "", lake: Lake | None = None) -> list[Shard]:
    """Write the repair as changes of a sync and note it in the release; one dict of keys a shard.

    Run again, it takes over what an earlier try of it opened. Raises ConflictError, and opens nothing, where the watermark moved since
    the comparison, or another sync is open.
    """
    lake, made = lake or connect(), Comparison.of_keys(figures["comparison"])
    records = Reconciliations(lake)
    noted = records.named(made.reconciliation_id)["repair_sync_id"]
    release = Releases(lake).named(made.expected.release_id)
    _require_unmoved(release, made, noted)
    watermark, embeddings = made.expected.versions_after, made.expected.embeddings_after
    span = Span(watermark, watermark, embeddings, embeddings, False)
    sync = new_sync(release, span, made.expected_count, dag_id, run_id)
    later = records.later_syncs(release, made.syncs_snapshot, but=noted)
    records.plan_repair(made.reconciliation_id, sync, later, figures["is_complete"])
    return open_plan(lake, sync)


def _require_unmoved(release: ReleaseRow, made: Comparison, noted: str | None) -> None:
    reason = ""
    if release["versions_snapshot"] != made.expected.versions_after:
        reason = f"a sync moved the release {release['release_id']} since it was compared"
    elif others := set(release["open_syncs"] or []) - {noted}:
        reason = f"the sync {', '.join(sorted(others))} of release {release['release_id']} is at work, or was never recorded"
    if reason:
        raise ConflictError(f"{reason}: nothing was repaired; run sync_index where none is at work, and then reconcile_index again")
