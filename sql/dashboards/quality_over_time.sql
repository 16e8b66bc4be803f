-- The last verdict of each check about each batch, the newest batch first, what did not pass before what did.
-- Grain:   one row per batch and check.
-- Used by: people

select
    batch_number,
    batch_id,
    batch_state,
    profile,
    check_name,
    severity,
    verdict,
    violation_count,
    measured_value,
    allowed_value,
    sample,
    accepted_by,
    accepted_reason,
    checked_at
from embeddings_db.quality_history
where is_last
order by
    batch_number desc,
    if(verdict = 'passed', 1, 0) asc,
    check_name asc
