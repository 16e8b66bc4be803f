-- The versions that the source table holds of documents now, without their texts.
-- Grain:   one row per doc_id; several where the source holds a document more than once.
-- Binds:   1. documents.
-- Used by: receipts.py

select
    doc_id,
    coalesce(content_hash, '') as content_hash,
    title,
    source_uri
from docs_db.source_documents
where doc_id in (?)
