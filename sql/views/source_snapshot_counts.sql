-- What was embedded from each snapshot of source_documents, and how much of it is current still.
-- Grain:   one row per profile and source_snapshot.
-- Used by: people

create or replace view embeddings_db.source_snapshot_counts as

with

recorded as (

    select
        profile,
        source_snapshot,
        count_if(not is_deleted) as version_count,
        count_if(is_deleted) as deletion_count,
        min(recorded_at) as first_recorded_at,
        max(recorded_at) as last_recorded_at
    from embeddings_db.document_versions
    group by
        profile,
        source_snapshot

),

latest as (

    select
        profile,
        doc_id,
        max_by(source_snapshot, batch_number) as source_snapshot,
        max_by(is_deleted, batch_number) as is_deleted,
        max_by(cardinality(chunk_ids), batch_number) as chunk_count
    from embeddings_db.document_versions
    group by
        profile,
        doc_id

),

documents as (

    select
        profile,
        source_snapshot,
        count(*) as document_count,
        sum(chunk_count) as chunk_count
    from latest
    where not is_deleted
    group by
        profile,
        source_snapshot

)

select
    recorded.profile,
    recorded.source_snapshot,
    coalesce(documents.document_count, 0) as document_count,
    coalesce(documents.chunk_count, 0) as chunk_count,
    recorded.version_count,
    recorded.deletion_count,
    recorded.first_recorded_at,
    recorded.last_recorded_at
from recorded
left join documents
    on
        recorded.profile = documents.profile
        and recorded.source_snapshot = documents.source_snapshot
