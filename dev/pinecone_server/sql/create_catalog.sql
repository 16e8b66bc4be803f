-- Everything beside the records: one row per index, namespace, alias and import.
-- Grain:   one row per host_id (an index), kind and name; rowid is the order in which they were made.
-- Binds:   none.
-- Used by: dev/pinecone_server/database.py

create table if not exists catalog (
    host_id text not null,
    kind text not null,
    name text not null,
    fields text not null check (json_valid(fields)),
    primary key (host_id, kind, name)
)
