-- What each shard of a planned sync has to do, the documents of all shards, and a chunk that it cannot write because no row of it exists.
-- Grain:   one row per shard.
-- Binds:   1. sync_id, 2. sync_id.
-- Used by: clients/sync_plans.py

with

documents as (

    select count(distinct doc_id) as document_count
    from embeddings_db.sync_changes
    where sync_id = ?

)

select
    shard,
    any_value(documents.document_count) as document_count,
    count_if(is_upsert) as upsert_count,
    count_if(not is_upsert) as delete_count,
    count_if(is_upsert and not was_current) as new_count,
    count_if(is_upsert and source_file is null) as missing_count,
    min(doc_id) filter (where is_upsert and source_file is null) as missing_doc_id,
    min_by(chunk_id, doc_id) filter (where is_upsert and source_file is null) as missing_chunk_id
from embeddings_db.sync_changes
cross join documents
where sync_id = ?
group by shard
order by shard
