-- What the newest measurements of a profile's drift found, measure by measure, in the order of time.
-- Grain:   one row per monitor_id and measure.
-- Binds:   1. profile, 2. number of measurements.
-- Used by: page/reading.py

with

newest as (

    select
        monitor_id,
        measured_at
    from embeddings_db.drift_verdicts
    where profile = ?
    order by measured_at desc
    limit ?

)

select
    measures.monitor_id,
    measures.measure,
    measures.cause,
    measures.baseline_value,
    measures.current_value,
    measures.drift,
    measures.threshold,
    measures.is_exceeded,
    measures.detail,
    newest.measured_at
from embeddings_db.drift_measures as measures
inner join newest on measures.monitor_id = newest.monitor_id
order by
    newest.measured_at,
    measures.measure
