-- Put a record, or replace it as a whole.
-- Grain:   one row per namespace and record_id.
-- Binds:   1. namespace, 2. record_id, 3. vector, 4. metadata.
-- Used by: dev/pinecone_server/database.py

insert into records (namespace, record_id, vector, metadata)
values (?, ?, ?, ?)
on conflict (namespace, record_id) do update set vector = excluded.vector, metadata = excluded.metadata
