-- No vector of the batch is zero in every dimension.
-- Why:     a zero vector has no direction: its cosine distance is undefined, and the index takes none.
-- Grain:   one row per offending chunk.
-- Binds:   1. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

select
    doc_id,
    chunk_id,
    substr(chunk_text, 1, 80) as chunk_start
from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
where
    batch_id = ?
    and all_match(embedding, element -> element = 0)
