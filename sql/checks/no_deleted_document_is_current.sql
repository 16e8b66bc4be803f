-- No document that left the pinned source is still current, once no backlog is left.
-- Why:     a search must not answer from a document that was taken away.
-- Grain:   one row per document that should be deleted; none while documents remain for the next batch.
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

)

select
    latest.doc_id,
    latest.content_hash
from latest
left join docs_db.source_documents for version as of {{ source_snapshot }} as source on latest.doc_id = source.doc_id
where
    ? = 0
    and source.doc_id is null
    and not latest.is_deleted
