-- Every chunk of the batch was cut by the strategy, with the settings, that its profile declares.
-- Why:     chunks of another strategy answer the same question with other pieces of the same text.
--          Batches before it were checked the same way, and a profile's strategy is part of its fingerprint.
-- Grain:   one row per offending chunk.
-- Binds:   1. batch_id, 2. chunking strategy with its settings.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

select
    doc_id,
    chunk_id,
    chunking_strategy
from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
where
    batch_id = ?
    and chunking_strategy <> ?
