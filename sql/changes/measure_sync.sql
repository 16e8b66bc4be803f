-- How far apart two states of the ledger are: the chunks of the documents that differ, and the records of the later state.
-- Grain:   one row.
-- Binds:   1. profile, 2. whether there is a state before, 3. profile, 4. ids of unrecorded syncs with commas,
--          5. profile, 6. whether there is a state before, 7. profile.
-- Names:   versions_before, versions_after (embeddings_db.document_versions).
-- Used by: steps/sync_index/planning.py

with

ledger as (

    select
        doc_id,
        batch_number,
        cast(null as bigint) as later_number,
        cast(0 as bigint) as later_chunk_count,
        false as is_unsure
    from embeddings_db.document_versions for version as of {{ versions_before }}
    where profile = ? and ?

    union all

    select
        doc_id,
        null as batch_number,
        batch_number as later_number,
        if(is_deleted, 0, cardinality(chunk_ids)) as later_chunk_count,
        false as is_unsure
    from embeddings_db.document_versions for version as of {{ versions_after }}
    where profile = ?

    union all

    select
        doc_id,
        null as batch_number,
        null as later_number,
        0 as later_chunk_count,
        true as is_unsure
    from embeddings_db.sync_changes
    where sync_id in (select t.sync_id from unnest(split(?, ',')) as t (sync_id))

),

documents as (

    select
        doc_id,
        max(batch_number) as number_before,
        max(later_number) as number_after,
        max_by(later_chunk_count, later_number) as chunk_count_after,
        bool_or(is_unsure) as is_unsure
    from ledger
    group by doc_id

),

changed as (

    select
        doc_id,
        number_before,
        number_after
    from documents
    where is_unsure or number_before is distinct from number_after

),

opened as (

    select cardinality(versions.chunk_ids) as chunk_count
    from embeddings_db.document_versions for version as of {{ versions_before }} as versions
    inner join changed on versions.doc_id = changed.doc_id and versions.batch_number = changed.number_before
    where versions.profile = ? and ? and not versions.is_deleted

    union all

    select cardinality(versions.chunk_ids) as chunk_count
    from embeddings_db.document_versions for version as of {{ versions_after }} as versions
    inner join changed on versions.doc_id = changed.doc_id and versions.batch_number = changed.number_after
    where versions.profile = ? and not versions.is_deleted

)

select
    (select coalesce(sum(opened.chunk_count), 0) from opened) as chunk_count,
    (select coalesce(sum(documents.chunk_count_after), 0) from documents) as record_count
