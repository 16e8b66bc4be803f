-- The namespaces that were ever written to, also those of the catalog's past and of imports that never finished.
-- Grain:   one row per namespace.
-- Binds:   none.
-- Used by: dev/pinecone_server/database.py

select
    namespace,
    lsn
from positions
