-- The newest alerts about a profile, or about no profile in particular. That somebody is waited for is left out: the alert does not know
-- of the answer, Airflow's required actions do.
-- Grain:   one row per alert_id.
-- Binds:   1. profile, 2. number of rows.
-- Used by: page/reading.py

select
    alert_id,
    kind,
    subject,
    summary,
    message,
    since_at,
    raised_at,
    dag_id,
    run_id
from embeddings_db.alerts
where
    (profile = ? or profile is null)
    and kind <> 'waiting_for_approval'
order by raised_at desc
limit ?
