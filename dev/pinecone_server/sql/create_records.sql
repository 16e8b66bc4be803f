-- The records of all namespaces: their vectors as little-endian float32, their metadata as a JSON object.
-- Grain:   one row per namespace (its key in the catalog) and record_id.
-- Binds:   none.
-- Used by: dev/pinecone_server/database.py

create table if not exists records (
    namespace integer not null,
    record_id text not null,
    vector blob not null,
    metadata text not null,
    primary key (namespace, record_id)
)
