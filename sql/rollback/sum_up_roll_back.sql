-- What a planned roll-back will do: documents that get an earlier version back, that are removed, chunks and records that change.
-- Grain:   one row.
-- Binds:   1. batch_id.
-- Used by: steps/roll_back_embeddings/planning.py

select
    count_if(is_changed and not is_deleted) as restored_count,
    count_if(is_changed and is_deleted) as removed_count,
    coalesce(sum(upsert_count + delete_count), 0) as chunk_count,
    coalesce(sum(upsert_count), 0) as upsert_count,
    coalesce(sum(delete_count), 0) as delete_count
from embeddings_db.roll_back_versions
where batch_id = ?
