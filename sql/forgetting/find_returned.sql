-- Documents that were forgotten and stand in the source or the ledger all the same.
-- Grain:   one row per doc_id.
-- Binds:   1. salt of the tombstones.
-- Names:   source_snapshot (docs_db.source_documents), versions_snapshot (embeddings_db.document_versions).
-- Used by: clients/forgetting/tombstones.py

with

known as (

    select doc_id
    from docs_db.source_documents for version as of {{ source_snapshot }}
    where doc_id is not null

    union distinct

    select doc_id
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    where doc_id is not null

),

hashed as (

    select
        doc_id,
        lower(to_hex(sha256(to_utf8(concat(?, '||', doc_id))))) as id_hash
    from known

)

select hashed.doc_id
from hashed
where hashed.id_hash in (select refused.id_hash from docs_db.forgotten_documents as refused where refused.lifted_at is null)
