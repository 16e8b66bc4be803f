-- The version of each record's document that was current in a state of the ledger, and whether the record was part of it.
-- Grain:   one row per profile and chunk_id, for documents that had a version in that state.
-- Binds:   1. chunk ids with commas, 2. their documents as a JSON list, 3. their batches with commas, 4. the moment up to which batches
--          count, or null for all.
-- Names:   versions_snapshot (embeddings_db.document_versions).
-- Used by: receipts.py

with

wanted as (

    select
        t.chunk_id,
        t.doc_id,
        t.batch_id
    from unnest(split(?, ','), cast(json_parse(?) as array(varchar)), split(?, ',')) as t (chunk_id, doc_id, batch_id)

),

published as (

    select
        versions.profile,
        versions.doc_id,
        versions.content_hash,
        versions.source_snapshot,
        versions.chunk_ids,
        versions.is_deleted,
        versions.batch_id,
        versions.batch_number
    from embeddings_db.document_versions for version as of {{ versions_snapshot }} as versions
    left join embeddings_db.embedding_batches as batches on versions.batch_id = batches.batch_id
    where
        versions.doc_id in (select wanted.doc_id from wanted)
        and not coalesce(coalesce(batches.published_at, versions.recorded_at) > cast(? as timestamp(6) with time zone), false)

),

latest as (

    select
        profile,
        doc_id,
        max_by(content_hash, batch_number) as content_hash,
        max_by(source_snapshot, batch_number) as source_snapshot,
        max_by(chunk_ids, batch_number) as chunk_ids,
        max_by(is_deleted, batch_number) as is_deleted,
        array_agg(batch_id) as batch_ids
    from published
    group by
        profile,
        doc_id

)

select
    latest.profile,
    wanted.chunk_id,
    latest.content_hash,
    latest.source_snapshot,
    latest.is_deleted,
    not latest.is_deleted and contains(latest.chunk_ids, wanted.chunk_id) and contains(latest.batch_ids, wanted.batch_id) as is_held
from latest
inner join wanted on latest.doc_id = wanted.doc_id
