-- The records that a shard of a sync writes, file by file.
-- Grain:   one row per chunk_id.
-- Binds:   1. sync_id, 2. shard.
-- Used by: steps/sync_index/writing.py

select
    source_file,
    chunk_id,
    source_batch,
    title
from embeddings_db.sync_changes
where sync_id = ? and shard = ? and is_upsert
order by source_file
