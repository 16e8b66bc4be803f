-- What the last twenty syncs of a profile that wrote something took.
-- Grain:   one row.
-- Binds:   1. profile.
-- Used by: clients/rebuilds.py

with

latest as (

    select
        records_upserted,
        bytes_sent,
        date_diff('millisecond', started_at, finished_at) as lasted_ms
    from embeddings_db.index_syncs
    where profile = ? and records_upserted > 0
    order by finished_at desc
    limit 20

)

select
    coalesce(sum(records_upserted), 0) as record_count,
    coalesce(sum(bytes_sent), 0) as byte_count,
    coalesce(sum(lasted_ms), 0) / 1e3 as seconds
from latest
