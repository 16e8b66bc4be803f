-- Every alert, and which time it was raised about the same subject.
-- Grain:   one row per alert.
-- Used by: people

create or replace view embeddings_db.alert_history as

select
    alert_id,
    kind,
    profile,
    subject,
    summary,
    message,
    since_at,
    raised_at,
    dag_id,
    run_id,
    task_id,
    row_number() over (partition by kind, profile, subject order by raised_at, alert_id) as raise_number,
    min(raised_at) over (partition by kind, profile, subject) as first_raised_at
from embeddings_db.alerts
