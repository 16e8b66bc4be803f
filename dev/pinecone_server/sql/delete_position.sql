-- Forget that a namespace was ever written to.
-- Grain:   one row per namespace.
-- Binds:   1. namespace.
-- Used by: dev/pinecone_server/database.py

delete from positions
where namespace = ?
