-- Put the versions that a roll-back makes current into its plan: for every document that the batches whose state it changes have touched,
-- the newest version that no rejected batch made and whose chunks all have a vector that no rejected batch made; without one it is removed.
-- A document whose version stays is planned too where one of its chunks has a row of such a batch: its records may get another vector.
-- Grain:   one row per doc_id and batch_id.
-- Binds:   1. rejected batches with commas, 2. batches whose state changes with commas, 3. profile, 4. model_version, 5. profile,
--          6. number of slices, 7. slice, 8. profile, 9. model_version, 10. profile, 11. batch_id.
-- Names:   versions_snapshot (embeddings_db.document_versions), embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/roll_back_embeddings/planning.py

insert into embeddings_db.roll_back_versions
(
    batch_id,
    doc_id,
    content_hash,
    source_snapshot,
    source_sequence_number,
    chunk_ids,
    is_deleted,
    restored_from,
    is_changed,
    upsert_count,
    delete_count
)

with

rejected as (

    select t.batch_id
    from unnest(split(?, ',')) as t (batch_id)

),

flipped as (

    select t.batch_id
    from unnest(split(?, ',')) as t (batch_id)

),

marked as (

    select doc_id
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    where
        profile = ?
        and (
            batch_id in (select flipped.batch_id from flipped)
            or restored_from in (select flipped.batch_id from flipped)
        )

    union distinct

    select doc_id
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where
        model_version = ?
        and profile = ?
        and (
            batch_id in (select flipped.batch_id from flipped)
            or copied_from_batch in (select flipped.batch_id from flipped)
        )

),

touched as (

    select doc_id
    from marked
    where mod(bitwise_and(from_big_endian_64(xxhash64(to_utf8(doc_id))), 4294967295), ?) = ?

),

versions as (

    select
        doc_id,
        batch_number,
        content_hash,
        source_snapshot,
        source_sequence_number,
        if(is_deleted, cast(array[] as array(varchar)), chunk_ids) as chunk_ids,
        is_deleted,
        coalesce(restored_from, batch_id) as made_by,
        batch_id not in (select rejected.batch_id from rejected)
        and coalesce(restored_from, batch_id) not in (select rejected.batch_id from rejected) as may_count
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    where
        profile = ?
        and doc_id in (select touched.doc_id from touched)

),

vectors as (

    select
        chunk_id,
        bool_or(
            batch_id not in (select rejected.batch_id from rejected)
            and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected)
        ) as is_usable,
        bool_or(
            batch_id in (select flipped.batch_id from flipped)
            or coalesce(copied_from_batch, batch_id) in (select flipped.batch_id from flipped)
        ) as is_flipped
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where
        model_version = ?
        and profile = ?
        and doc_id in (select touched.doc_id from touched)
    group by chunk_id

),

judged as (

    select
        versions.doc_id,
        versions.batch_number,
        any_value(versions.content_hash) as content_hash,
        any_value(versions.source_snapshot) as source_snapshot,
        any_value(versions.source_sequence_number) as source_sequence_number,
        any_value(versions.chunk_ids) as chunk_ids,
        any_value(versions.is_deleted) as is_deleted,
        any_value(versions.made_by) as made_by,
        array_agg(vectors.chunk_id) filter (where vectors.is_flipped) as flipped_ids,
        bool_and(versions.may_count)
        and count_if(chunks.chunk_id is not null and not coalesce(vectors.is_usable, false)) = 0 as is_whole
    from versions
    left join unnest(versions.chunk_ids) as chunks (chunk_id) on true
    left join vectors on chunks.chunk_id = vectors.chunk_id
    group by
        versions.doc_id,
        versions.batch_number

),

compared as (

    select
        doc_id,
        max(batch_number) as number_now,
        max_by(chunk_ids, batch_number) as chunk_ids_now,
        max_by(is_deleted, batch_number) as is_deleted_now,
        max_by(content_hash, batch_number) as content_hash_now,
        max_by(source_snapshot, batch_number) as source_snapshot_now,
        max_by(source_sequence_number, batch_number) as source_sequence_number_now,
        max(batch_number) filter (where is_whole) as number_chosen,
        max_by(chunk_ids, batch_number) filter (where is_whole) as chunk_ids_chosen,
        max_by(is_deleted, batch_number) filter (where is_whole) as is_deleted_chosen,
        max_by(content_hash, batch_number) filter (where is_whole) as content_hash_chosen,
        max_by(source_snapshot, batch_number) filter (where is_whole) as source_snapshot_chosen,
        max_by(source_sequence_number, batch_number) filter (where is_whole) as source_sequence_number_chosen,
        max_by(made_by, batch_number) filter (where is_whole) as made_by,
        max_by(flipped_ids, batch_number) filter (where is_whole) as flipped_ids
    from judged
    group by doc_id

),

planned as (

    select
        doc_id,
        number_chosen is distinct from number_now as is_changed,
        chunk_ids_now,
        is_deleted_now,
        made_by,
        coalesce(content_hash_chosen, content_hash_now) as content_hash,
        coalesce(source_snapshot_chosen, source_snapshot_now) as source_snapshot,
        coalesce(source_sequence_number_chosen, source_sequence_number_now) as source_sequence_number,
        coalesce(chunk_ids_chosen, cast(array[] as array(varchar))) as chunk_ids,
        coalesce(is_deleted_chosen, true) as is_deleted,
        coalesce(flipped_ids, cast(array[] as array(varchar))) as flipped_ids
    from compared

)

select
    ? as batch_id,
    doc_id,
    content_hash,
    source_snapshot,
    source_sequence_number,
    chunk_ids,
    is_deleted,
    made_by as restored_from,
    is_changed,
    cardinality(array_except(chunk_ids, chunk_ids_now)) + cardinality(array_intersect(flipped_ids, chunk_ids_now)) as upsert_count,
    cardinality(array_except(chunk_ids_now, chunk_ids)) as delete_count
from planned
where
    not (is_deleted and is_deleted_now)
    and (is_changed or cardinality(flipped_ids) > 0)
