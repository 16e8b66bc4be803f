-- Plan what makes the index equal to the record again: what a comparison found to differ is written, what is foreign is removed.
-- What is written is part of the recorded state already, and what is removed never was. What a later sync planned is left alone.
-- Grain:   one row per chunk_id and sync.
-- Binds:   1. ids of later syncs with commas, 2. sync_id, 3. number of shards, 4. reconciliation_id,
--          5. whether foreign records are removed.
-- Used by: clients/reconciliations.py

insert into embeddings_db.sync_changes
(sync_id, shard, doc_id, chunk_id, is_upsert, was_current, source_batch, source_file, title)

with

newer as (

    select chunk_id
    from embeddings_db.sync_changes
    where sync_id in (select t.sync_id from unnest(split(?, ',')) as t (sync_id))

)

select
    ? as sync_id,
    cast(mod(bitwise_and(from_big_endian_64(xxhash64(to_utf8(coalesce(source_file, record_id)))), 4294967295), ?) as integer) as shard,
    doc_id,
    record_id as chunk_id,
    finding <> 'orphaned' as is_upsert,
    finding <> 'orphaned' as was_current,
    source_batch,
    source_file,
    title
from embeddings_db.index_findings
where
    reconciliation_id = ?
    and (finding <> 'orphaned' or ?)
    and record_id not in (select newer.chunk_id from newer)
