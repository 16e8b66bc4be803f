-- Every drift measure at every measurement, with the one before: what a chart over time shows.
-- Grain:   one row per measurement, profile and measure.
-- Used by: people

select
    profile,
    measure,
    cause,
    measured_at,
    baseline_value,
    current_value,
    drift,
    threshold,
    is_exceeded,
    lag(drift) over (partition by profile, measure order by measured_at, monitor_id) as drift_before,
    detail,
    monitor_id
from embeddings_db.drift_measures
order by
    profile,
    measure,
    measured_at,
    monitor_id
