-- The latest version of every document under each profile, deleted documents aside.
-- Grain:   one row per profile and doc_id.
-- Used by: people, embeddings_db.current_embeddings, embeddings_db.profile_coverage

create or replace view embeddings_db.current_documents as

with

latest as (

    select
        profile,
        doc_id,
        max_by(content_hash, batch_number) as content_hash,
        max_by(source_snapshot, batch_number) as source_snapshot,
        max_by(chunk_ids, batch_number) as chunk_ids,
        max_by(is_deleted, batch_number) as is_deleted,
        max_by(batch_id, batch_number) as batch_id,
        max_by(recorded_at, batch_number) as recorded_at,
        max(batch_number) as batch_number
    from embeddings_db.document_versions
    group by
        profile,
        doc_id

)

select
    profile,
    doc_id,
    content_hash,
    source_snapshot,
    chunk_ids,
    batch_id,
    batch_number,
    recorded_at
from latest
where not is_deleted
