-- The whole catalog, an index before what belongs to it.
-- Grain:   one row per host_id, kind and name.
-- Binds:   none.
-- Used by: dev/pinecone_server/database.py

select
    host_id,
    kind,
    name,
    fields
from catalog
order by rowid
