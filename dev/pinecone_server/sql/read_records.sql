-- The records of a namespace.
-- Grain:   one row per record_id.
-- Binds:   1. namespace.
-- Used by: dev/pinecone_server/database.py

select
    record_id,
    vector,
    metadata
from records
where namespace = ?
