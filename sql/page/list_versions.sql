-- The versions of a document under a profile, the newest first.
-- Grain:   one row per batch that recorded a version of the document.
-- Binds:   1. profile, 2. doc_id.
-- Used by: page/reading.py

select
    batch_id,
    batch_number,
    content_hash,
    source_snapshot,
    is_deleted,
    cardinality(chunk_ids) as chunk_count,
    restored_from,
    recorded_at
from embeddings_db.document_versions
where
    profile = ?
    and doc_id = ?
order by batch_number desc
