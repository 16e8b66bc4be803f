-- The model took the text of every chunk of the batch.
-- Why:     a chunk without a vector is no part of its document's version, so no search finds it; its neighbours are not held up by it.
-- Grain:   one row per rejected chunk.
-- Binds:   1. batch_id.
-- Used by: steps/embed_documents/auditing.py

select
    doc_id,
    chunk_index,
    reason_code,
    reason,
    substr(chunk_text, 1, 80) as chunk_start
from embeddings_db.rejected_chunks
where batch_id = ?
