-- Enter a part of the catalog, or replace its fields.
-- Grain:   one row per host_id, kind and name.
-- Binds:   1. host_id, 2. kind, 3. name, 4. fields.
-- Used by: dev/pinecone_server/database.py

insert into catalog (host_id, kind, name, fields)
values (?, ?, ?, ?)
on conflict (host_id, kind, name) do update set fields = excluded.fields
