-- Delete a record, where there is one of this id.
-- Grain:   one row per namespace and record_id.
-- Binds:   1. namespace, 2. record_id.
-- Used by: dev/pinecone_server/database.py

delete from records
where
    namespace = ?
    and record_id = ?
