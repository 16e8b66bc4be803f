-- Move a namespace to a log sequence number.
-- Grain:   one row per namespace.
-- Binds:   1. namespace, 2. lsn.
-- Used by: dev/pinecone_server/database.py

insert into positions (namespace, lsn)
values (?, ?)
on conflict (namespace) do update set lsn = excluded.lsn
