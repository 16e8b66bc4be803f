-- Every row of a record that was ever published, also of versions that are past and of batches that were rejected; without the vector.
-- A row is rejected with the batch that wrote it, and with the one from which its vector was copied.
-- Grain:   one row per profile, chunk_id and batch_id.
-- Used by: people

create or replace view embeddings_db.embedding_history as

with

versions as (

    select
        doc_id,
        batch_id,
        max(recorded_at) as recorded_at
    from embeddings_db.document_versions
    group by
        doc_id,
        batch_id

)

select
    embeddings.profile,
    embeddings.doc_id,
    embeddings.chunk_id,
    embeddings.chunk_text,
    embeddings.chunk_index,
    embeddings.start_offset,
    embeddings.content_hash,
    embeddings.source_snapshot,
    embeddings.model_name,
    embeddings.model_version,
    embeddings.chunking_strategy,
    embeddings.created_at as embedded_at,
    embeddings.batch_id,
    embeddings.copied_from_batch,
    batches.batch_number,
    batches.state as batch_state,
    batches.message,
    batches.dag_id,
    batches.run_id,
    coalesce(batches.published_at, versions.recorded_at, embeddings.created_at) as published_at,
    coalesce(batches.state = 'rejected', false) or coalesce(makers.state = 'rejected', false) as is_rejected,
    if(batches.state = 'rejected', batches.updated_at, if(makers.state = 'rejected', makers.updated_at)) as rejected_at
from embeddings_db.document_embeddings as embeddings
left join embeddings_db.embedding_batches as batches on embeddings.batch_id = batches.batch_id
left join embeddings_db.embedding_batches as makers on embeddings.copied_from_batch = makers.batch_id
left join versions
    on
        embeddings.doc_id = versions.doc_id
        and embeddings.batch_id = versions.batch_id
