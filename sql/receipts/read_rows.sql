-- Every row of these records, of whatever profile and batch, with the state of the batch that wrote it and of the one that made its vector.
-- Grain:   one row per chunk_id, profile and batch_id.
-- Binds:   1. chunk ids with commas.
-- Used by: receipts.py

with

embedded as (

    select
        chunk_id,
        profile,
        doc_id,
        chunk_text,
        chunk_index,
        start_offset,
        content_hash,
        source_snapshot,
        profile_fingerprint,
        model_name,
        model_version,
        chunking_strategy,
        created_at,
        batch_id,
        copied_from_batch
    from embeddings_db.document_embeddings
    where chunk_id in (select t.chunk_id from unnest(split(?, ',')) as t (chunk_id))

),

versions as (

    select
        doc_id,
        batch_id,
        max(recorded_at) as recorded_at
    from embeddings_db.document_versions
    where doc_id in (select embedded.doc_id from embedded)
    group by
        doc_id,
        batch_id

)

select
    embedded.chunk_id,
    embedded.profile,
    embedded.doc_id,
    embedded.chunk_text,
    embedded.chunk_index,
    embedded.start_offset,
    embedded.content_hash,
    embedded.source_snapshot,
    embedded.profile_fingerprint,
    embedded.model_name,
    embedded.model_version,
    embedded.chunking_strategy,
    embedded.created_at as embedded_at,
    embedded.batch_id,
    embedded.copied_from_batch,
    batches.batch_number,
    batches.state,
    batches.message,
    batches.dag_id,
    batches.run_id,
    batches.updated_at,
    coalesce(batches.published_at, versions.recorded_at, embedded.created_at) as published_at,
    makers.state as maker_state,
    makers.updated_at as maker_updated_at
from embedded
left join embeddings_db.embedding_batches as batches on embedded.batch_id = batches.batch_id
left join embeddings_db.embedding_batches as makers on embedded.copied_from_batch = makers.batch_id
left join versions
    on
        embedded.doc_id = versions.doc_id
        and embedded.batch_id = versions.batch_id
