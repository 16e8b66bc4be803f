-- The versions of a document under a profile, the newest first, with the state of the batch behind each.
-- Grain:   one row per batch that recorded a version of the document.
-- Binds:   1. profile, 2. doc_id.
-- Used by: page/reading.py

select
    versions.batch_id,
    versions.batch_number,
    versions.content_hash,
    versions.source_snapshot,
    versions.is_deleted,
    cardinality(versions.chunk_ids) as chunk_count,
    versions.restored_from,
    batches.state,
    coalesce(batches.kind, 'embed') as kind,
    coalesce(batches.published_at, versions.recorded_at) as published_at
from embeddings_db.document_versions as versions
left join embeddings_db.embedding_batches as batches on versions.batch_id = batches.batch_id
where
    versions.profile = ?
    and versions.doc_id = ?
order by versions.batch_number desc
limit 100
