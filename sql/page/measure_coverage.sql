-- How much of the source a profile covers with its current versions, and since when what it lacks has waited. Reads no text and no chunks.
-- A document that stands twice in the source counts once.
-- Grain:   one row.
-- Binds:   1. profile.
-- Used by: page/reading.py

with

documents as (

    select
        doc_id,
        max(coalesce(content_hash, '')) as content_hash,
        max(updated_at) as updated_at
    from docs_db.source_documents
    where doc_id is not null
    group by doc_id

),

latest as (

    select
        doc_id,
        max_by(content_hash, batch_number) as content_hash,
        max_by(is_deleted, batch_number) as is_deleted
    from embeddings_db.document_versions
    where profile = ?
    group by doc_id

),

embedded as (

    select
        doc_id,
        content_hash
    from latest
    where not is_deleted

),

compared as (

    select
        documents.content_hash as source_hash,
        documents.updated_at,
        embedded.content_hash as embedded_hash
    from documents
    full outer join embedded on documents.doc_id = embedded.doc_id

)

select
    count(source_hash) as source_count,
    count_if(source_hash = embedded_hash) as covered_count,
    count_if(source_hash <> embedded_hash) as outdated_count,
    count_if(source_hash is not null and embedded_hash is null) as missing_count,
    count_if(source_hash is null) as orphaned_count,
    min(if(source_hash is not null and coalesce(source_hash <> embedded_hash, true), updated_at)) as waiting_since
from compared
