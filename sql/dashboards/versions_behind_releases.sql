-- Which documents, and which version of each, stand behind every release of the index that has not been dropped.
-- A release holds what the ledger said in the snapshot to which it was led: batches that were committed later are not in it.
-- Grain:   one row per release and document.
-- Used by: people

with

-- Where an erasure put a snapshot in the place of an earlier one, the tag that is called after the earlier one leads there.
replacements as (

    select
        try_cast(substr(name, 5) as bigint) as replaced_snapshot_id,
        snapshot_id
    from embeddings_db."document_versions$refs"
    where name like 'led-%' and substr(name, 5) <> cast(snapshot_id as varchar)

),

kept_snapshots as (

    select
        snapshots.snapshot_id,
        replacements.replaced_snapshot_id,
        if(
            replacements.snapshot_id is not null,
            coalesce(from_unixtime(try_cast(element_at(snapshots.summary, 'made-at-ms') as double) / 1e3), snapshots.committed_at),
            snapshots.committed_at
        ) as committed_at
    from embeddings_db."document_versions$snapshots" as snapshots
    left join replacements on snapshots.snapshot_id = replacements.snapshot_id

),

snapshots as (

    select
        snapshot_id,
        committed_at
    from kept_snapshots
    union all
    select
        replaced_snapshot_id as snapshot_id,
        committed_at
    from kept_snapshots
    where replaced_snapshot_id is not null

),

releases as (

    select
        releases.release_id,
        releases.profile,
        releases.state,
        releases.namespace,
        snapshots.committed_at
    from embeddings_db.index_releases as releases
    inner join snapshots on releases.versions_snapshot = snapshots.snapshot_id
    where releases.state <> 'dropped'

),

batches as (

    select
        batches.batch_id,
        batches.state,
        coalesce(batches.published_at, batches.updated_at) as published_at,
        snapshots.committed_at
    from embeddings_db.embedding_batches as batches
    left join snapshots on batches.versions_snapshot = snapshots.snapshot_id
    where batches.state in ('published', 'rejected')

),

held as (

    select
        releases.release_id,
        versions.doc_id,
        any_value(releases.profile) as profile,
        any_value(releases.state) as release_state,
        any_value(releases.namespace) as namespace,
        max_by(versions.content_hash, versions.batch_number) as content_hash,
        max_by(versions.source_snapshot, versions.batch_number) as source_snapshot,
        max_by(cardinality(versions.chunk_ids), versions.batch_number) as record_count,
        max_by(versions.is_deleted, versions.batch_number) as is_deleted,
        max_by(versions.batch_id, versions.batch_number) as batch_id,
        max_by(batches.state, versions.batch_number) as batch_state,
        max_by(batches.published_at, versions.batch_number) as published_at
    from embeddings_db.document_versions as versions
    inner join batches on versions.batch_id = batches.batch_id
    inner join releases on versions.profile = releases.profile
    -- A batch whose snapshot has expired was published before the next one was committed.
    where coalesce(batches.committed_at, batches.published_at) <= releases.committed_at
    group by
        releases.release_id,
        versions.doc_id

),

sources as (

    select
        doc_id,
        max(coalesce(content_hash, '')) as content_hash
    from docs_db.source_documents
    group by doc_id

)

select
    held.release_id,
    held.profile,
    held.release_state,
    held.namespace,
    held.doc_id,
    held.content_hash,
    held.source_snapshot,
    held.record_count,
    held.batch_id,
    held.batch_state,
    held.published_at,
    sources.content_hash as current_content_hash,
    sources.content_hash <> held.content_hash as is_changed,
    sources.doc_id is null as is_deleted
from held
left join sources on held.doc_id = sources.doc_id
where not held.is_deleted
order by
    held.profile,
    held.release_id,
    held.doc_id
