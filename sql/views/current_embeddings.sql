-- The vectors of every current document, each chunk with its place in the current version. Vectors of rejected batches are never current.
-- A chunk that several batches embedded, one of which was put back after it had been undone, has the row of the latest one, as in the
-- index; which one that is is found without reading a vector.
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

),

newest as (

    select
        profile,
        doc_id,
        chunk_id,
        max(batch_id) as batch_id
    from embeddings_db.document_embeddings
    where
        batch_id not in (select rejected.batch_id from rejected)
        and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected)
    group by
        profile,
        doc_id,
        chunk_id

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
inner join newest
    on
        embeddings.profile = newest.profile
        and embeddings.doc_id = newest.doc_id
        and embeddings.chunk_id = newest.chunk_id
        and embeddings.batch_id = newest.batch_id
