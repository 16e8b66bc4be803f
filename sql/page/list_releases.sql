-- The releases of a profile's index, the live one first, with the last sync of each.
-- Grain:   one row per release.
-- Binds:   1. profile.
-- Used by: page/reading.py

select
    release_id,
    index_name,
    namespace,
    state,
    is_pinned,
    record_count,
    versions_snapshot,
    created_by,
    reason,
    created_at,
    verified_at,
    probe_recall,
    keep_until,
    synced_at,
    last_upserted_count,
    last_deleted_count
from embeddings_db.index_state
where profile = ?
order by
    if(state = 'live', 0, 1),
    created_at desc
limit 100
