-- No vector of the batch holds NaN or infinity.
-- Why:     such a vector has no distance to anything, and an index refuses the whole request that holds it.
-- Grain:   one row per offending chunk.
-- Binds:   1. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

select
    doc_id,
    chunk_id
from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
where
    batch_id = ?
    and any_match(embedding, element -> is_nan(element) or is_infinite(element))
