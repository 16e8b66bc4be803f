-- The verdicts of every check, with the batch that was audited. A batch that was audited again has several of each check; `is_last` marks
-- the one that counts.
-- Grain:   one row per batch, check and audit.
-- Used by: people

create or replace view embeddings_db.quality_history as

select
    results.batch_id,
    batches.batch_number,
    batches.state as batch_state,
    results.profile,
    results.check_name,
    results.severity,
    results.verdict,
    results.violation_count,
    results.threshold,
    results.measured_value,
    results.allowed_value,
    results.sample,
    results.accepted_by,
    results.accepted_reason,
    results.engine,
    results.source_snapshot,
    results.embeddings_snapshot,
    results.versions_snapshot,
    results.checked_at,
    results.checked_at = max(results.checked_at) over (partition by results.batch_id, results.check_name) as is_last
from embeddings_db.quality_results as results
left join embeddings_db.embedding_batches as batches on results.batch_id = batches.batch_id
