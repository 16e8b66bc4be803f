-- Every document that waits for the next batch was ingested within the profile's freshness target.
-- Why:     until then a search answers from its old text, or does not find it. Without a backlog every document is covered.
-- Grain:   one row per document that waits too long; none where no document remains for the next batch.
-- Binds:   1. profile, 2. documents remaining for the next batch, 3. when, 4. the target in hours.
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
    source.doc_id,
    source.content_hash,
    source.updated_at,
    latest.content_hash as recorded_hash
from docs_db.source_documents for version as of {{ source_snapshot }} as source
left join latest on source.doc_id = latest.doc_id
where
    ? > 0
    and source.doc_id is not null
    and date_diff('millisecond', source.updated_at, ?) > ? * 3600000
    and (latest.doc_id is null or latest.is_deleted or latest.content_hash <> coalesce(source.content_hash, ''))
