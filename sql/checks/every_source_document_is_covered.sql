-- Every document of the pinned source has its version in the ledger, once no backlog is left.
-- Why:     a document that no version covers cannot be found by any search.
-- Grain:   one row per document left out; none while documents remain for the next batch.
-- Binds:   1. profile, 2. documents remaining for the next batch.
-- Names:   source_snapshot (docs_db.source_documents), versions_snapshot (embeddings_db.document_versions).
-- Used by: steps/embed_documents/auditing.py

with

latest as (

    select
        doc_id,
        max_by(content_hash, batch_number) as content_hash,
        max_by(is_deleted, batch_number) as is_deleted
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    where profile = ?
    group by doc_id

),

source as (

    select
        doc_id,
        max(coalesce(content_hash, '')) as content_hash
    from docs_db.source_documents for version as of {{ source_snapshot }}
    where doc_id is not null
    group by doc_id

)

select
    source.doc_id,
    source.content_hash,
    latest.content_hash as recorded_hash,
    latest.is_deleted
from source
left join latest on source.doc_id = latest.doc_id
where
    ? = 0
    and (latest.doc_id is null or latest.is_deleted or latest.content_hash <> source.content_hash)
