-- The version of a document that a state of the ledger calls current: what a release that was led there holds of it.
-- Grain:   one row, none for a document that had no version then or was deleted.
-- Binds:   1. profile, 2. doc_id.
-- Names:   versions_snapshot (embeddings_db.document_versions).
-- Used by: page/reading.py

select max_by(content_hash, batch_number) as content_hash
from embeddings_db.document_versions for version as of {{ versions_snapshot }}
where
    profile = ?
    and doc_id = ?
having max_by(is_deleted, batch_number) = false
