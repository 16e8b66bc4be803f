-- The releases of each profile's index, with the last sync of each.
-- Grain:   one row per release.
-- Used by: people

create or replace view embeddings_db.index_state as

with

syncs as (

    select
        release_id,
        max(finished_at) as synced_at,
        max_by(records_upserted, finished_at) as last_upserted_count,
        max_by(records_deleted, finished_at) as last_deleted_count
    from embeddings_db.index_syncs
    group by release_id

)

select
    releases.release_id,
    releases.profile,
    releases.index_name,
    releases.namespace,
    releases.state,
    releases.is_pinned,
    releases.record_count,
    releases.id_checksum,
    releases.versions_snapshot,
    releases.embeddings_snapshot,
    releases.created_by,
    releases.reason,
    releases.created_at,
    releases.verified_at,
    releases.probe_recall,
    releases.keep_until,
    syncs.synced_at,
    syncs.last_upserted_count,
    syncs.last_deleted_count
from embeddings_db.index_releases as releases
left join syncs on releases.release_id = syncs.release_id
