-- When batches recorded their versions of documents: when they were published, where their row in the journal does not say so.
-- Grain:   one row per doc_id and batch_id.
-- Binds:   1. documents, 2. batches.
-- Used by: receipts.py

select
    doc_id,
    batch_id,
    max(recorded_at) as recorded_at
from embeddings_db.document_versions
where
    doc_id in (?)
    and batch_id in (?)
group by
    doc_id,
    batch_id
