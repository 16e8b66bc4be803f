-- How large each table is since it was last maintained: what reading it opens, and what its folder holds in all.
-- Grain:   one row per table, the largest first.
-- Used by: people

with

latest as (

    select
        table_name,
        rows_after,
        data_files_after,
        data_bytes_after,
        delete_files_after,
        manifests_after,
        snapshots_after,
        metadata_bytes_after,
        stored_files_after,
        stored_bytes_after,
        planning_seconds_after,
        finished_at,
        row_number() over (partition by table_name order by finished_at desc) as run_number
    from embeddings_db.maintenance_history

)

select
    table_name,
    rows_after as row_count,
    data_files_after as data_file_count,
    data_bytes_after as data_bytes,
    delete_files_after as delete_file_count,
    manifests_after as manifest_count,
    snapshots_after as snapshot_count,
    metadata_bytes_after as metadata_bytes,
    stored_files_after as stored_file_count,
    stored_bytes_after as stored_bytes,
    planning_seconds_after as planning_seconds,
    finished_at as measured_at
from latest
where run_number = 1
order by
    stored_bytes desc,
    table_name asc
