-- What a comparison found, by kind; what a later sync planned or wrote as well is counted as newer.
-- Grain:   one row per finding.
-- Binds:   1. ids of later syncs with commas, 2. reconciliation_id.
-- Used by: clients/reconciliations.py

with

newer as (

    select chunk_id
    from embeddings_db.sync_changes
    where sync_id in (select t.sync_id from unnest(split(?, ',')) as t (sync_id))

)

select
    finding,
    count_if(record_id not in (select newer.chunk_id from newer)) as record_count,
    count_if(record_id in (select newer.chunk_id from newer)) as newer_count
from embeddings_db.index_findings
where reconciliation_id = ?
group by finding
