-- Every row of the pinned source says which document it is.
-- Why:     a row without a doc_id cannot be embedded, found or deleted, so it is left out; the others are not held up by it.
-- Grain:   one row per source row without a doc_id.
-- Names:   source_snapshot (docs_db.source_documents).
-- Used by: steps/embed_documents/auditing.py

select
    doc_id,
    title,
    source_uri,
    content_hash
from docs_db.source_documents for version as of {{ source_snapshot }}
where doc_id is null
