-- Take a part out of the catalog.
-- Grain:   one row per host_id, kind and name.
-- Binds:   1. host_id, 2. kind, 3. name.
-- Used by: dev/pinecone_server/database.py

delete from catalog
where
    host_id = ?
    and kind = ?
    and name = ?
