-- Every vector of the batch is named by a version that the batch recorded.
-- Why:     a vector that no version names can never be current: it was paid for in vain, or its version was lost.
-- Grain:   one row per orphaned chunk.
-- Binds:   1. batch_id, 2. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings), versions_snapshot (embeddings_db.document_versions).
-- Used by: steps/embed_documents/auditing.py

with

named as (

    select chunks.chunk_id
    from embeddings_db.document_versions for version as of {{ versions_snapshot }} as versions
    cross join unnest(versions.chunk_ids) as chunks (chunk_id)
    where versions.batch_id = ?

)

select
    doc_id,
    chunk_id
from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
where
    batch_id = ?
    and chunk_id not in (select named.chunk_id from named)
