-- The documents of the source that have waited for a current version since before a moment.
-- Grain:   one row.
-- Binds:   1. profile, 2. the moment.
-- Names:   source (docs_db.source_documents), versions (embeddings_db.document_versions).
-- Used by: clients/drift.py

with

embedded as (

    select
        doc_id,
        max_by(if(is_deleted, null, content_hash), batch_number) as content_hash
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ?
    group by doc_id

)

select
    count(distinct source.doc_id) as document_count,
    min(source.updated_at) as waiting_since,
    min_by(source.doc_id, source.updated_at) as doc_id
from docs_db.source_documents for version as of {{ source }} as source
left join embedded on source.doc_id = embedded.doc_id
where
    source.doc_id is not null
    and source.updated_at < ?
    and coalesce(source.content_hash, '') is distinct from embedded.content_hash
