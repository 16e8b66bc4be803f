-- Where each current vector comes from: document, version, batch, run, model; without the vector itself.
-- Grain:   one row per profile and chunk_id.
-- Used by: people

create or replace view embeddings_db.embedding_lineage as

select
    embeddings.profile,
    embeddings.doc_id,
    embeddings.chunk_id,
    embeddings.chunk_index,
    embeddings.content_hash,
    embeddings.source_snapshot,
    embeddings.model_name,
    embeddings.model_version,
    embeddings.chunking_strategy,
    embeddings.batch_id,
    embeddings.copied_from_batch,
    embeddings.created_at,
    embeddings.current_content_hash,
    embeddings.current_chunk_index,
    batches.batch_number,
    batches.dag_id,
    batches.run_id,
    sources.title,
    sources.source_uri
from embeddings_db.current_embeddings as embeddings
inner join embeddings_db.embedding_batches as batches on embeddings.batch_id = batches.batch_id
left join docs_db.source_documents as sources on embeddings.doc_id = sources.doc_id
