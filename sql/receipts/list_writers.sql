-- The batches that recorded a version of these documents, under whatever profile: no other wrote a row of them.
-- Grain:   one row per version of the documents.
-- Binds:   1. documents.
-- Used by: receipts.py

select batch_id
from embeddings_db.document_versions
where doc_id in (?)
