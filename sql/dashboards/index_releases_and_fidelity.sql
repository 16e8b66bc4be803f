-- The releases of each index, what each holds, when it last followed, and how far it equalled the record when last compared.
-- Grain:   one row per release, the live one of each profile first.
-- Used by: people

with

compared as (

    select
        release_id,
        count(*) as comparison_count,
        max(compared_at) as compared_at,
        max_by(reconciliation_id, compared_at) as reconciliation_id,
        max_by(fidelity, compared_at) as fidelity,
        min(fidelity) as lowest_fidelity,
        max_by(missing_count, compared_at) as missing_count,
        max_by(orphaned_count, compared_at) as orphaned_count,
        max_by(stale_count, compared_at) as stale_count,
        max_by(wrong_profile_count, compared_at) as wrong_profile_count,
        max_by(is_complete, compared_at) as is_complete,
        max_by(repaired_at, compared_at) as repaired_at
    from embeddings_db.index_fidelity
    group by release_id

)

select
    releases.profile,
    releases.release_id,
    releases.state,
    releases.namespace,
    releases.index_name,
    releases.is_pinned,
    releases.record_count,
    releases.probe_recall,
    releases.created_at,
    releases.verified_at,
    releases.synced_at,
    releases.last_upserted_count,
    releases.last_deleted_count,
    releases.keep_until,
    releases.reason,
    coalesce(compared.comparison_count, 0) as comparison_count,
    compared.compared_at,
    compared.fidelity,
    compared.lowest_fidelity,
    compared.missing_count,
    compared.orphaned_count,
    compared.stale_count,
    compared.wrong_profile_count,
    compared.is_complete,
    compared.repaired_at
from embeddings_db.index_state as releases
left join compared on releases.release_id = compared.release_id
order by
    releases.profile asc,
    if(releases.state = 'live', 0, 1) asc,
    releases.created_at desc
