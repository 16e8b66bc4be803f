-- What maintenance did to each table, run by run, and what reading and keeping the table costs since.
-- Grain:   one row per run and table, the newest run first.
-- Used by: people

select
    started_at,
    table_name,
    is_dry_run,
    data_files_before,
    data_files_after,
    manifests_before,
    manifests_after,
    snapshots_before,
    snapshots_after,
    stored_files_before,
    stored_files_after,
    stored_bytes_before,
    stored_bytes_after,
    planning_seconds_before,
    planning_seconds_after,
    snapshots_expired,
    files_removed,
    bytes_removed,
    date_diff('second', started_at, finished_at) as duration_seconds,
    message
from embeddings_db.maintenance_history
order by
    started_at desc,
    table_name asc
