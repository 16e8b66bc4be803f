-- The newest verdicts on a profile's drift.
-- Grain:   one row per monitor_id.
-- Binds:   1. profile, 2. number of rows.
-- Used by: page/reading.py

select
    monitor_id,
    baseline_kind,
    baseline_id,
    batch_id,
    is_drift,
    cast(causes as json) as causes,
    verdict,
    since_batch_id,
    since_at,
    document_count,
    changed_document_count,
    canary_cosine,
    fidelity,
    recall,
    measured_at
from embeddings_db.drift_verdicts
where profile = ?
order by measured_at desc
limit ?
