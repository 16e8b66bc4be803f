-- From which snapshot of source_documents the current documents are, and how many versions each snapshot brought.
-- Grain:   one row per profile and source_snapshot.
-- Used by: people

select
    profile,
    source_snapshot,
    document_count,
    chunk_count,
    version_count,
    deletion_count,
    document_count * 1e0 / nullif(sum(document_count) over (partition by profile), 0) as document_share,
    first_recorded_at,
    last_recorded_at
from embeddings_db.source_snapshot_counts
order by
    profile,
    first_recorded_at,
    source_snapshot
