-- When each profile last became current, from which source snapshot, and what its index holds since. A roll-back reads no source: after one
-- it is the snapshot of the last batch that it left.
-- Grain:   one row per profile.
-- Used by: people

create or replace view embeddings_db.profile_freshness as

with

published as (

    select
        profile,
        max(batch_number) as batch_number,
        max_by(batch_id, batch_number) as batch_id,
        max_by(source_snapshot, batch_number) filter (where source_snapshot is not null) as source_snapshot,
        max_by(documents_remaining, batch_number) as documents_remaining,
        max_by(updated_at, batch_number) as published_at
    from embeddings_db.embedding_batches
    where state = 'published'
    group by profile

),

synced as (

    select
        profile,
        max(finished_at) as synced_at
    from embeddings_db.index_syncs
    group by profile

)

select
    published.profile,
    published.batch_number,
    published.batch_id,
    published.source_snapshot,
    published.documents_remaining,
    published.published_at,
    synced.synced_at
from published
left join synced on published.profile = synced.profile
