-- What was raised, since when it was so, and which time it was raised about the same subject. The newest comes first.
-- Grain:   one row per alert.
-- Used by: people

select
    raised_at,
    kind,
    profile,
    subject,
    summary,
    since_at,
    raise_number,
    first_raised_at,
    message,
    dag_id,
    run_id,
    task_id,
    alert_id
from embeddings_db.alert_history
order by
    raised_at desc,
    alert_id asc
