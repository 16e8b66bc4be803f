-- How far the index was equal to the record at each comparison, what differed, and whether that was repaired.
-- Grain:   one row per reconciliation_id.
-- Used by: people

create or replace view embeddings_db.index_fidelity as

select
    reconciliations.reconciliation_id,
    reconciliations.profile,
    reconciliations.release_id,
    reconciliations.finished_at as compared_at,
    reconciliations.fidelity,
    reconciliations.expected_count,
    reconciliations.listed_count,
    reconciliations.compared_count,
    cast(reconciliations.compared_count as double) / nullif(reconciliations.expected_count, 0) as compared_share,
    reconciliations.missing_count,
    reconciliations.orphaned_count,
    reconciliations.stale_count,
    reconciliations.wrong_profile_count,
    reconciliations.newer_count,
    reconciliations.is_complete,
    reconciliations.repair_sync_id,
    syncs.finished_at as repaired_at
from embeddings_db.index_reconciliations as reconciliations
left join embeddings_db.index_syncs as syncs on reconciliations.repair_sync_id = syncs.sync_id
