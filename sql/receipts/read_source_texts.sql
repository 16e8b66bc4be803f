-- Documents with their texts as the source table held them in a snapshot.
-- Grain:   one row per doc_id; several where the source held a document more than once.
-- Binds:   1. documents.
-- Names:   source_snapshot (docs_db.source_documents).
-- Used by: receipts.py, page/documents.py

select
    doc_id,
    coalesce(content_hash, '') as content_hash,
    title,
    source_uri,
    updated_at,
    document_text
from docs_db.source_documents for version as of {{ source_snapshot }}
where doc_id in (?)
