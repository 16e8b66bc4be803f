-- The log sequence number of the last write to each namespace that was ever written to.
-- Grain:   one row per namespace (its key in the catalog).
-- Binds:   none.
-- Used by: dev/pinecone_server/database.py

create table if not exists positions (
    namespace integer primary key,
    lsn integer not null
)
