-- Every chunk of the batch has a text, and one no longer than its strategy cuts them, in characters or in words.
-- Why:     a blank text has no meaning to find; of one that is too long the model reads the beginning only.
-- Grain:   one row per offending chunk.
-- Binds:   1. words or characters, 2. batch_id, 3. the most of them in a chunk.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

with

measured as (

    select
        doc_id,
        chunk_id,
        regexp_like(chunk_text, '\S') as has_text,
        -- As the strategy counts: a run of more than 1,000 characters is several words.
        if(? = 'words', regexp_count(chunk_text, '\S{1,1000}'), length(chunk_text)) as chunk_length,
        substr(chunk_text, 1, 80) as chunk_start
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where batch_id = ?

)

select
    doc_id,
    chunk_id,
    chunk_length,
    chunk_start
from measured
where not has_text or chunk_length > ?
