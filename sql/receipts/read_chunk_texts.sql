-- The exact texts of chunks, for records whose text is not kept in the index.
-- Grain:   one row per chunk_id (a chunk's id is a hash of its text, so all its rows have the same).
-- Binds:   1. model_version, 2. chunk ids with commas.
-- Used by: retrieval.py

select
    chunk_id,
    any_value(chunk_text) as chunk_text
from embeddings_db.document_embeddings
where
    model_version = ?
    and chunk_id in (select t.chunk_id from unnest(split(?, ',')) as t (chunk_id))
group by chunk_id
