-- The vectors of every current document, each chunk with its place in the current version. Vectors of rejected batches are never current.
-- Grain:   one row per profile and chunk_id.
-- Used by: people, embeddings_db.embedding_lineage

create or replace view embeddings_db.current_embeddings as

with

current_chunks as (

    select
        documents.profile,
        documents.content_hash as current_content_hash,
        chunks.chunk_id,
        chunks.position - 1 as current_chunk_index
    from embeddings_db.current_documents as documents
    cross join unnest(documents.chunk_ids) with ordinality as chunks (chunk_id, position)

),

rejected as (

    select batch_id
    from embeddings_db.embedding_batches
    where state = 'rejected'

)

select
    embeddings.profile,
    embeddings.doc_id,
    embeddings.chunk_id,
    embeddings.chunk_text,
    embeddings.embedding,
    embeddings.embedding_dim,
    embeddings.model_name,
    embeddings.model_version,
    embeddings.chunking_strategy,
    embeddings.token_count,
    embeddings.content_hash,
    embeddings.source_snapshot,
    embeddings.chunk_index,
    embeddings.start_offset,
    embeddings.batch_id,
    embeddings.copied_from_batch,
    embeddings.created_at,
    current_chunks.current_content_hash,
    current_chunks.current_chunk_index
from embeddings_db.document_embeddings as embeddings
inner join current_chunks
    on
        embeddings.profile = current_chunks.profile
        and embeddings.chunk_id = current_chunks.chunk_id
where
    embeddings.batch_id not in (select rejected.batch_id from rejected)
    and coalesce(embeddings.copied_from_batch, embeddings.batch_id) not in (select rejected.batch_id from rejected)
