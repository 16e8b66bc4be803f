-- The rows of a document's chunks, of whatever batch: the files of batches that did not write it are not opened.
-- Grain:   one row per chunk_id and batch_id.
-- Binds:   1. model_version, 2. doc_id, 3. chunk ids, 4. batches that recorded a version of the document.
-- Used by: page/reading.py

select
    chunk_id,
    chunk_text,
    token_count,
    start_offset,
    batch_id,
    copied_from_batch,
    created_at
from embeddings_db.document_embeddings
where
    model_version = ?
    and doc_id = ?
    and chunk_id in (?)
    and batch_id in (?)
