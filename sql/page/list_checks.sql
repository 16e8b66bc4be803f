-- The checks of a batch as each of them last ran, those that did not hold first.
-- Grain:   one row per check.
-- Binds:   1. batch_id.
-- Used by: page/reading.py

with

numbered as (

    select
        check_name,
        severity,
        verdict,
        violation_count,
        measured_value,
        allowed_value,
        sample,
        engine,
        checked_at,
        accepted_by,
        accepted_reason,
        row_number() over (partition by check_name order by checked_at desc) as place
    from embeddings_db.quality_results
    where batch_id = ?

)

select
    check_name,
    severity,
    verdict,
    violation_count,
    measured_value,
    allowed_value,
    sample,
    engine,
    checked_at,
    accepted_by,
    accepted_reason
from numbered
where place = 1
order by
    case verdict when 'failed' then 0 when 'warned' then 1 when 'accepted' then 2 else 3 end,
    check_name
