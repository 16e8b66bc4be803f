-- Every vector of the batch has as many dimensions as its profile declares, and its row says so.
-- Why:     a vector of another length belongs to another model; an index refuses the whole request that holds it.
-- Grain:   one row per offending chunk.
-- Binds:   1. batch_id, 2. dimensions.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

select
    doc_id,
    chunk_id,
    cardinality(embedding) as dimensions,
    embedding_dim
from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
where
    batch_id = ?
    and array[cardinality(embedding), embedding_dim] <> repeat(?, 2)
