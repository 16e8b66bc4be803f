"""Sum a comparison up: its findings become part of the lake, and its fidelity one row of the history."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients import metrics
from embedding_lakehouse.clients.index_findings import commit_findings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.reconciliations import Reconciliations
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.checksums import combined
from embedding_lakehouse.core.measures import fidelity_figures
from embedding_lakehouse.core.reconciliation import MISSING, ORPHANED, STALE, WRONG_PROFILE, Comparison, Figures, corrected, fidelity
from embedding_lakehouse.errors import ConflictError

logger = logging.getLogger(__name__)


def conclude_reconciliation(parts: Iterable[dict[str, Any]], found: Iterable[Figures], lake: Lake | None = None) -> Figures:
    """Record what the parts of a comparison found, once, and set the release's count and checksum right: the figures.

    Raises ConflictError where a part did not see all that was expected.
    """
    lake, found = lake or connect(), list(found)
    keys = next(iter(parts))["comparison"]
    made, records = Comparison.of_keys(keys), Reconciliations(lake)
    _require_all_expected(made, found)
    commit_findings(lake, made.reconciliation_id, [file for part in found for file in part["files"]])
    figures = _figures(records, made, found)
    records.record(_row(made, figures))
    metrics.report(made.expected.profile, fidelity_figures(figures))
    id_checksum = combined(*(part["id_checksum"] for part in found if "id_checksum" in part))
    Releases(lake).change(lambda rows: corrected(rows, made, id_checksum, datetime.now(UTC)))
    records.forget_expected(made.reconciliation_id)
    for part in found:
        if part.get("message"):
            logger.warning("Nothing will be removed: %s", part["message"])
    return figures | {"comparison": keys}


def _require_all_expected(made: Comparison, found: list[Figures]) -> None:
    # What was expected is dropped with the conclusion: to a part that is run again after it, everything in the index would seem foreign.
    for kind in ("compared", "listed"):
        if sum(part["expected"] for part in found if kind in part) != made.expected_count:
            raise ConflictError(
                f"the comparison {made.reconciliation_id} was concluded before some of its parts were run again, which found nothing left "
                "to compare with: nothing was recorded or repaired; run reconcile_index again"
            )


def _figures(records: Reconciliations, made: Comparison, parts: list[Figures]) -> Figures:
    release = Releases(records.lake).named(made.expected.release_id)
    found = records.counts(made.reconciliation_id, records.later_syncs(release, made.syncs_snapshot))
    counts = {
        "reconciliation_id": made.reconciliation_id,
        "expected_count": made.expected_count,
        "listed_count": sum(part.get("listed", 0) for part in parts),
        "compared_count": sum(part.get("compared", 0) for part in parts),
        **{f"{finding}_count": found.get(finding, (0, 0))[0] for finding in (MISSING, ORPHANED, STALE, WRONG_PROFILE)},
        "newer_count": sum(newer for _, newer in found.values()),
        "is_complete": not any(part.get("message") for part in parts),
        "is_sample": made.is_sample,
    }
    places = {"release_id": made.expected.release_id, "index_name": made.expected.index_name, "namespace": made.expected.namespace}
    return counts | places | {"fidelity": fidelity(counts), "chunks_behind": made.chunks_behind}


def _row(made: Comparison, figures: Figures) -> Figures:
    told = {name: value for name, value in figures.items() if name not in ("index_name", "namespace", "is_sample", "chunks_behind")}
    return told | {
        "profile": made.expected.profile,
        "versions_snapshot": made.expected.versions_after,
        "embeddings_snapshot": made.expected.embeddings_after,
        "dag_id": made.expected.dag_id,
        "run_id": made.expected.run_id,
        "started_at": datetime.fromisoformat(made.expected.started_at),
        "finished_at": datetime.now(UTC),
    }
