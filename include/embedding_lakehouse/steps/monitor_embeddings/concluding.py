"""Conclude a comparison: its measures and its verdict become part of the lake, once."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse.clients.drift import drop_sample
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.verdicts import record, verdicts
from embedding_lakehouse.core.drift import causes, conclude
from embedding_lakehouse.core.drift_baselines import Comparison, VerdictRow, series, since
from embedding_lakehouse.core.drift_measures import Measure

logger = logging.getLogger(__name__)


def conclude_comparison(
    comparison: dict[str, Any],
    groups: Iterable[list[dict[str, Any]]],
    dag_id: str = "",
    run_id: str = "",
    lake: Lake | None = None,
    now: datetime | None = None,
) -> str:
    """Record what was measured and the verdict; the monitor_id. Repeated, it records nothing twice."""
    lake, now = lake or connect(), now or datetime.now(UTC)
    compared = Comparison(**comparison)
    measures = [Measure.of_keys(keys) for group in groups for keys in group]
    row = _verdict(lake, compared, measures, now) | {"dag_id": dag_id, "run_id": run_id}
    kept = {"monitor_id": compared.monitor_id, "profile": compared.profile, "measured_at": now}
    record(lake, compared.monitor_id, [measure.as_keys() | kept for measure in measures], row)
    drop_sample(lake, compared)
    logger.log(logging.WARNING if row["is_drift"] else logging.INFO, "%s", row["verdict"])
    return compared.monitor_id


def _verdict(lake: Lake, compared: Comparison, measures: list[Measure], now: datetime) -> VerdictRow:
    earlier = series(verdicts(lake, compared.profile), compared.is_watch, compared.baseline_kind, compared.baseline_id)
    found = causes(measures)
    since_batch, since_at = since(earlier, found[0], compared.batch_id, now) if found else (None, None)
    concluded = conclude(measures, compared.described, since_batch or compared.batch_id)
    values = {measure.measure: measure.current_value for measure in measures}
    accepted = f"; accepted: {compared.accepted_reason}" if compared.accepted_reason else ""
    counts, sampled = compared.counts, compared.sampled or {}
    return {
        "monitor_id": compared.monitor_id,
        "profile": compared.profile,
        "model_version": compared.model_version,
        "baseline_kind": compared.baseline_kind,
        "baseline_id": compared.baseline_id,
        "baseline_batch_number": compared.baseline_number if compared.has_baseline else None,
        "batch_id": compared.batch_id,
        "batch_number": compared.batch_number,
        "is_drift": concluded.is_drift,
        "causes": concluded.causes,
        "verdict": concluded.sentence + accepted,
        "since_batch_id": since_batch,
        "since_at": since_at,
        "document_count": counts["documents_after"],
        "changed_document_count": counts["added"] + counts["edited"],
        "chunk_count": counts["chunks_after"],
        "sampled_chunk_count": sampled.get("chunks_after"),
        "canary_cosine": values.get("canary_cosine"),
        "fidelity": values.get("index_fidelity"),
        "recall": values.get("index_recall"),
        "engine": lake.sql.name,
        "measured_at": now,
        "is_watch": compared.is_watch,
        "accepted_reason": compared.accepted_reason or None,
    }
