-- How many documents a sync changed in the index.
-- Grain:   one row.
-- Binds:   1. sync_id.
-- Used by: steps/sync_index/closing.py

select count(distinct doc_id) as document_count
from embeddings_db.sync_changes
where sync_id = ?
