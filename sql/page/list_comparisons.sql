-- The newest comparisons of a profile's index with the record.
-- Grain:   one row per reconciliation_id.
-- Binds:   1. profile, 2. number of rows.
-- Used by: page/reading.py

select
    reconciliation_id,
    release_id,
    compared_at,
    fidelity,
    expected_count,
    compared_count,
    missing_count,
    orphaned_count,
    stale_count,
    wrong_profile_count,
    is_complete,
    repaired_at
from embeddings_db.index_fidelity
where profile = ?
order by compared_at desc
limit ?
