-- The rows that these batches wrote of these records: the files of no other batch are opened.
-- Grain:   one row per chunk_id, profile and batch_id.
-- Binds:   1. chunk ids, 2. batches.
-- Used by: receipts.py

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
    created_at as embedded_at,
    batch_id,
    copied_from_batch
from embeddings_db.document_embeddings
where
    chunk_id in (?)
    and batch_id in (?)
