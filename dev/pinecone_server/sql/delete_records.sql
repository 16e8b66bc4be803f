-- Delete all records of a namespace.
-- Grain:   one row per namespace and record_id.
-- Binds:   1. namespace.
-- Used by: dev/pinecone_server/database.py

delete from records
where namespace = ?
