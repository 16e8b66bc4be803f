-- What each run of maintain_tables did to each table; of a table that was tried more than once in a run the last try.
-- Grain:   one row per maintenance_id and table_name.
-- Used by: people

create or replace view embeddings_db.maintenance_history as

with

numbered as (

    select
        maintenance_id,
        table_name,
        is_dry_run,
        is_compacted,
        are_manifests_compacted,
        finished_keys,
        branches_dropped,
        tags_made,
        tags_dropped,
        snapshots_expired,
        files_removed,
        bytes_removed,
        rows_after,
        data_files_before,
        data_files_after,
        data_bytes_before,
        data_bytes_after,
        delete_files_before,
        delete_files_after,
        manifests_before,
        manifests_after,
        snapshots_before,
        snapshots_after,
        metadata_bytes_before,
        metadata_bytes_after,
        stored_files_before,
        stored_files_after,
        stored_bytes_before,
        stored_bytes_after,
        planning_seconds_before,
        planning_seconds_after,
        message,
        kept_since,
        started_at,
        finished_at,
        row_number() over (partition by maintenance_id, table_name order by finished_at desc) as try_number
    from embeddings_db.maintenance_runs

)

select
    maintenance_id,
    table_name,
    is_dry_run,
    is_compacted,
    are_manifests_compacted,
    finished_keys,
    branches_dropped,
    tags_made,
    tags_dropped,
    snapshots_expired,
    files_removed,
    bytes_removed,
    rows_after,
    data_files_before,
    data_files_after,
    data_bytes_before,
    data_bytes_after,
    delete_files_before,
    delete_files_after,
    manifests_before,
    manifests_after,
    snapshots_before,
    snapshots_after,
    metadata_bytes_before,
    metadata_bytes_after,
    stored_files_before,
    stored_files_after,
    stored_bytes_before,
    stored_bytes_after,
    planning_seconds_before,
    planning_seconds_after,
    message,
    kept_since,
    started_at,
    finished_at
from numbered
where try_number = 1
