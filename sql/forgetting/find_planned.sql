-- A document that was forgotten and of which a planned sync would write records.
-- Grain:   one row per doc_id.
-- Binds:   1. sync_id, 2. salt of the tombstones.
-- Used by: clients/forgetting/tombstones.py

with

planned as (

    select distinct doc_id
    from embeddings_db.sync_changes
    where sync_id = ? and is_upsert

),

hashed as (

    select
        doc_id,
        lower(to_hex(sha256(to_utf8(concat(?, '||', doc_id))))) as id_hash
    from planned

)

select hashed.doc_id
from hashed
where hashed.id_hash in (select refused.id_hash from docs_db.forgotten_documents as refused where refused.lifted_at is null)
