-- The records that a shard of a sync removes.
-- Grain:   one row per chunk_id.
-- Binds:   1. sync_id, 2. shard.
-- Used by: steps/sync_index/writing.py

select chunk_id
from embeddings_db.sync_changes
where sync_id = ? and shard = ? and not is_upsert
