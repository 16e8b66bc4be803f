-- Plan what turns the records of one state of the ledger into those of another: chunks to write, with their rows' files, and to remove.
-- A chunk in both states is written again where several rows of it exist (its batch was rejected or rolled back in between), and where
-- a sync that was never recorded may have touched its document. A chunk without a row is planned without a file. A vector belongs to the
-- batch that made it: neither the rows of a rejected batch nor copies of its vectors are written.
-- Large tables stand on the left of joins; with join_distribution_type BROADCAST the planner keeps to that, and holds only the difference.
-- Grain:   one row per chunk_id and sync.
-- Binds:   1. profile, 2. whether there is a state before, 3. profile, 4. ids of unrecorded syncs with commas,
--          5. profile, 6. whether there is a state before, 7. profile, 8. lowest chunk_id, 9. chunk_id to stop before,
--          10. ids of unrecorded syncs with commas, 11. lowest chunk_id, 12. chunk_id to stop before,
--          13. model_version, 14. profile, 15. whether rows may have been lost since, 16. model_version, 17. profile,
--          18. sync_id, 19. number of shards.
-- Names:   versions_before, versions_after (embeddings_db.document_versions),
--          embeddings_before, embeddings_after (embeddings_db.document_embeddings).
-- Used by: clients/sync_plans.py

insert into embeddings_db.sync_changes
(sync_id, shard, doc_id, chunk_id, is_upsert, was_current, source_batch, source_file, title)

with

ledger as (

    select
        doc_id,
        batch_number as number_before,
        cast(null as bigint) as number_after,
        false as is_unsure,
        cast(null as varchar) as title
    from embeddings_db.document_versions for version as of {{ versions_before }}
    where profile = ? and ?

    union all

    select
        doc_id,
        null as number_before,
        batch_number as number_after,
        false as is_unsure,
        null as title
    from embeddings_db.document_versions for version as of {{ versions_after }}
    where profile = ?

    union all

    select
        doc_id,
        null as number_before,
        null as number_after,
        true as is_unsure,
        null as title
    from embeddings_db.sync_changes
    where sync_id in (select t.sync_id from unnest(split(?, ',')) as t (sync_id))

    union all

    select
        doc_id,
        null as number_before,
        null as number_after,
        false as is_unsure,
        title
    from docs_db.source_documents

),

changed as (

    select
        doc_id,
        max(number_before) as number_before,
        max(number_after) as number_after,
        bool_or(is_unsure) as is_unsure,
        max(title) as title
    from ledger
    group by doc_id
    having bool_or(is_unsure) or max(number_before) is distinct from max(number_after)

),

versions as (

    select
        doc_id,
        batch_number,
        chunk_ids,
        false as is_after
    from embeddings_db.document_versions for version as of {{ versions_before }}
    where profile = ? and ? and not is_deleted

    union all

    select
        doc_id,
        batch_number,
        chunk_ids,
        true as is_after
    from embeddings_db.document_versions for version as of {{ versions_after }}
    where profile = ? and not is_deleted

),

opened as (

    select
        versions.doc_id,
        chunks.chunk_id,
        versions.is_after,
        not versions.is_after as was_current,
        changed.is_unsure,
        changed.title
    from versions
    inner join changed
        on
            versions.doc_id = changed.doc_id
            and versions.batch_number = if(versions.is_after, changed.number_after, changed.number_before)
    cross join unnest(versions.chunk_ids) as chunks (chunk_id)
    where chunks.chunk_id >= ? and chunks.chunk_id < ?

    union all

    select
        doc_id,
        chunk_id,
        false as is_after,
        false as was_current,
        true as is_unsure,
        null as title
    from embeddings_db.sync_changes
    where
        sync_id in (select t.sync_id from unnest(split(?, ',')) as t (sync_id))
        and is_upsert
        and chunk_id >= ?
        and chunk_id < ?

),

chunks as (

    select
        chunk_id,
        any_value(doc_id) as doc_id,
        not bool_and(is_after) as is_before,
        bool_or(is_after) as is_after,
        bool_or(was_current) as was_current,
        bool_or(is_unsure) as is_unsure,
        max(title) as title
    from opened
    group by chunk_id

),

rejected as (

    select batch_id
    from embeddings_db.embedding_batches
    where state = 'rejected'

),

embedded as (

    select
        chunk_id,
        batch_id,
        copied_from_batch,
        "$path" as source_file
    from embeddings_db.document_embeddings for version as of {{ embeddings_after }}
    where model_version = ? and profile = ?

    union all

    select
        chunk_id,
        batch_id,
        copied_from_batch,
        null as source_file
    from embeddings_db.document_embeddings for version as of {{ embeddings_before }}
    where ? and model_version = ? and profile = ?

),

usable as (

    select
        chunk_id,
        batch_id,
        if(
            batch_id not in (select rejected.batch_id from rejected)
            and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected),
            source_file
        ) as source_file
    from embedded

),

changes as (

    select
        chunks.chunk_id,
        any_value(chunks.doc_id) as doc_id,
        any_value(chunks.is_after) as is_upsert,
        any_value(chunks.was_current) as was_current,
        any_value(chunks.title) as title,
        max(usable.batch_id) filter (where usable.source_file is not null) as source_batch,
        max_by(usable.source_file, usable.batch_id) filter (where usable.source_file is not null) as source_file
    from usable
    right join chunks on usable.chunk_id = chunks.chunk_id and chunks.is_after
    group by chunks.chunk_id
    having
        not any_value(chunks.is_after)
        or not any_value(chunks.is_before)
        or any_value(chunks.is_unsure)
        or min(usable.batch_id) <> max(usable.batch_id)

)

select
    ? as sync_id,
    cast(mod(bitwise_and(from_big_endian_64(xxhash64(to_utf8(coalesce(source_file, chunk_id)))), 4294967295), ?) as integer) as shard,
    doc_id,
    chunk_id,
    is_upsert,
    was_current,
    source_batch,
    source_file,
    title
from changes
