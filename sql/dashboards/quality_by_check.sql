-- How often each check held, warned, failed or was accepted, and when it last did not hold.
-- Grain:   one row per profile and check.
-- Used by: people

select
    profile,
    check_name,
    count(distinct batch_id) as batch_count,
    count(*) as audit_count,
    count_if(verdict = 'passed') as passed_count,
    count_if(verdict = 'warned') as warned_count,
    count_if(verdict = 'failed') as failed_count,
    count_if(verdict = 'accepted') as accepted_count,
    max(violation_count) as most_violations,
    max(measured_value) as largest_value,
    max(if(verdict <> 'passed', checked_at)) as last_not_passed_at,
    max_by(verdict, checked_at) as last_verdict,
    max(checked_at) as last_checked_at
from embeddings_db.quality_history
group by
    profile,
    check_name
order by
    profile asc,
    failed_count desc,
    check_name asc
