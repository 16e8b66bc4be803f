-- The exact texts of chunks, for records whose text is not kept in the index.
-- Grain:   one row per row of the chunks (a chunk's id is a hash of its text, so all its rows have the same).
-- Binds:   1. model_version, 2. chunk ids, 3. the batches that their records name.
-- Used by: retrieval.py

select
    chunk_id,
    chunk_text
from embeddings_db.document_embeddings
where
    model_version = ?
    and chunk_id in (?)
    and batch_id in (?)
