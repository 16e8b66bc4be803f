-- No row of the batch lacks a value that its receipt, its identity or its vector needs.
-- Why:     a row without them cannot be traced, found or compared.
-- Grain:   one row per offending chunk.
-- Binds:   1. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

select
    doc_id,
    chunk_id,
    text_hash
from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
where
    batch_id = ?
    and (
        doc_id is null
        or chunk_id is null
        or chunk_text is null
        or embedding is null
        or embedding_dim is null
        or model_name is null
        or model_version is null
        or chunking_strategy is null
        or source_snapshot is null
        or created_at is null
        or profile is null
        or profile_fingerprint is null
        or content_hash is null
        or text_hash is null
        or any_match(embedding, element -> element is null)
    )
