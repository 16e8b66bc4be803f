-- How many documents are new, changed, deleted or unchanged since the text last embedded under a profile, and how many rows name none.
-- Grain:   one row.
-- Binds:   1. forgotten documents, 2. profile, 3. forgotten documents.
-- Names:   source_snapshot (docs_db.source_documents), versions_snapshot (embeddings_db.document_versions).
-- Used by: steps/embed_documents/planning.py

with

stated as (

    select
        doc_id,
        coalesce(content_hash, '') as source_hash,
        cast(null as varchar) as embedded_hash,
        cast(null as bigint) as batch_number
    from docs_db.source_documents for version as of {{ source_snapshot }}
    where doc_id is null or doc_id not in (?)

    union all

    select
        doc_id,
        null as source_hash,
        if(is_deleted, null, content_hash) as embedded_hash,
        batch_number
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    where profile = ? and doc_id not in (?)

),

compared as (

    select
        doc_id,
        count(source_hash) as source_count,
        max(source_hash) as source_hash,
        max_by(embedded_hash, batch_number) as embedded_hash
    from stated
    group by doc_id

)

select
    count_if(doc_id is not null and source_hash is not null and embedded_hash is null) as new_count,
    count_if(source_hash <> embedded_hash) as changed_count,
    count_if(source_hash is null and embedded_hash is not null) as deleted_count,
    count_if(source_hash = embedded_hash) as unchanged_count,
    coalesce(sum(if(doc_id is null, source_count)), 0) as nameless_count
from compared
