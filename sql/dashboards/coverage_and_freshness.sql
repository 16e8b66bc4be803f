-- How much of the source is embedded under each profile, how long the oldest document waits, when the profile and its index last followed.
-- Grain:   one row per profile that ever published a batch.
-- Used by: people

with

waiting as (

    select
        coverage.profile,
        min(sources.updated_at) as waiting_since_at
    from docs_db.source_documents as sources
    cross join embeddings_db.profile_coverage as coverage
    left join embeddings_db.current_documents as embedded
        on
            coverage.profile = embedded.profile
            and sources.doc_id = embedded.doc_id
    where
        sources.doc_id is not null
        and coalesce(sources.content_hash, '') <> coalesce(embedded.content_hash, 'never embedded')
    group by coverage.profile

)

select
    coverage.profile,
    coverage.source_count,
    coverage.covered_count,
    coverage.outdated_count,
    coverage.missing_count,
    coverage.orphaned_count,
    coverage.covered_share,
    waiting.waiting_since_at,
    freshness.batch_id as last_batch_id,
    freshness.batch_number as last_batch_number,
    freshness.source_snapshot,
    freshness.documents_remaining,
    freshness.published_at,
    freshness.synced_at
from embeddings_db.profile_coverage as coverage
left join embeddings_db.profile_freshness as freshness on coverage.profile = freshness.profile
left join waiting on coverage.profile = waiting.profile
order by coverage.profile
