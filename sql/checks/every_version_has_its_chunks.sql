-- Every chunk that a version of the batch names has a vector in the profile.
-- Why:     a version with a missing chunk is half embedded, and a search would not find that half.
-- Grain:   one row per missing chunk.
-- Binds:   1. batch_id, 2. model_version.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings), versions_snapshot (embeddings_db.document_versions).
-- Used by: steps/embed_documents/auditing.py

with

named as (

    select
        versions.doc_id,
        chunks.chunk_id
    from embeddings_db.document_versions for version as of {{ versions_snapshot }} as versions
    cross join unnest(versions.chunk_ids) as chunks (chunk_id)
    where versions.batch_id = ?

),

rejected as (

    select batch_id
    from embeddings_db.embedding_batches
    where state = 'rejected'

),

embedded as (

    select chunk_id
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where
        model_version = ?
        and chunk_id in (select named.chunk_id from named)
        and batch_id not in (select rejected.batch_id from rejected)
        and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected)

)

select
    doc_id,
    chunk_id
from named
where chunk_id not in (select embedded.chunk_id from embedded)
