-- The versions of documents in a state of the ledger, each with those of some records that it has.
-- Grain:   one row per profile, doc_id and batch_number.
-- Binds:   1. chunk ids with commas, 2. documents.
-- Names:   versions_snapshot (embeddings_db.document_versions).
-- Used by: receipts.py

select
    profile,
    doc_id,
    content_hash,
    source_snapshot,
    is_deleted,
    batch_id,
    batch_number,
    recorded_at,
    cast(array_intersect(chunk_ids, split(?, ',')) as json) as chunk_ids
from embeddings_db.document_versions for version as of {{ versions_snapshot }}
where doc_id in (?)
