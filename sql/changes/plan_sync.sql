-- Plan what turns the records of one state of the ledger into those of another: chunks to write, with their rows' files, and to remove.
-- A chunk in both states is written again where several rows of it exist (its batch was rejected or rolled back in between), and where
-- a sync that was never recorded may have touched its document. A chunk without a row is planned without a file.
-- Grain:   one row per chunk_id and sync.
-- Binds:   1. profile, 2. whether there is a state before, 3. profile, 4. ids of unrecorded syncs with commas,
--          5. profile, 6. whether there is a state before, 7. lowest chunk_id, 8. chunk_id to stop before,
--          9. profile, 10. lowest chunk_id, 11. chunk_id to stop before,
--          12. ids of unrecorded syncs with commas, 13. lowest chunk_id, 14. chunk_id to stop before,
--          15. model_version, 16. profile, 17. whether rows may have been lost since, 18. model_version, 19. profile,
--          20. sync_id, 21. number of shards.
-- Names:   versions_before, versions_after (embeddings_db.document_versions),
--          embeddings_before, embeddings_after (embeddings_db.document_embeddings).
-- Used by: steps/sync_index/planning.py

insert into embeddings_db.sync_changes
(sync_id, shard, doc_id, chunk_id, is_upsert, source_batch, source_file, title)

with

ledger as (

    select
        doc_id,
        batch_number,
        cast(null as bigint) as later_number,
        false as is_unsure
    from embeddings_db.document_versions for version as of {{ versions_before }}
    where profile = ? and ?

    union all

    select
        doc_id,
        null as batch_number,
        batch_number as later_number,
        false as is_unsure
    from embeddings_db.document_versions for version as of {{ versions_after }}
    where profile = ?

    union all

    select
        doc_id,
        null as batch_number,
        null as later_number,
        true as is_unsure
    from embeddings_db.sync_changes
    where sync_id in (select t.sync_id from unnest(split(?, ',')) as t (sync_id))

),

documents as (

    select
        doc_id,
        max(batch_number) as number_before,
        max(later_number) as number_after,
        bool_or(is_unsure) as is_unsure
    from ledger
    group by doc_id

),

changed as (

    select
        doc_id,
        number_before,
        number_after,
        is_unsure
    from documents
    where is_unsure or number_before is distinct from number_after

),

opened as (

    select
        versions.doc_id,
        chunks.chunk_id,
        true as is_before,
        false as is_after,
        changed.is_unsure
    from embeddings_db.document_versions for version as of {{ versions_before }} as versions
    inner join changed on versions.doc_id = changed.doc_id and versions.batch_number = changed.number_before
    cross join unnest(versions.chunk_ids) as chunks (chunk_id)
    where versions.profile = ? and ? and not versions.is_deleted and chunks.chunk_id >= ? and chunks.chunk_id < ?

    union all

    select
        versions.doc_id,
        chunks.chunk_id,
        false as is_before,
        true as is_after,
        changed.is_unsure
    from embeddings_db.document_versions for version as of {{ versions_after }} as versions
    inner join changed on versions.doc_id = changed.doc_id and versions.batch_number = changed.number_after
    cross join unnest(versions.chunk_ids) as chunks (chunk_id)
    where versions.profile = ? and not versions.is_deleted and chunks.chunk_id >= ? and chunks.chunk_id < ?

    union all

    select
        doc_id,
        chunk_id,
        true as is_before,
        false as is_after,
        true as is_unsure
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
        bool_or(is_before) as is_before,
        bool_or(is_after) as is_after,
        bool_or(is_unsure) as is_unsure
    from opened
    group by chunk_id

),

embedded as (

    select
        chunk_id,
        batch_id,
        "$path" as source_file
    from embeddings_db.document_embeddings for version as of {{ embeddings_after }}
    where model_version = ? and profile = ?

    union all

    select
        chunk_id,
        batch_id,
        null as source_file
    from embeddings_db.document_embeddings for version as of {{ embeddings_before }}
    where ? and model_version = ? and profile = ?

),

rejected as (

    select batch_id
    from embeddings_db.embedding_batches
    where state = 'rejected'

),

sources as (

    select
        embedded.chunk_id,
        max(embedded.batch_id) filter (where embedded.source_file is not null and rejected.batch_id is null) as source_batch,
        max_by(embedded.source_file, embedded.batch_id)
            filter (where embedded.source_file is not null and rejected.batch_id is null) as source_file,
        min(embedded.batch_id) <> max(embedded.batch_id) as is_ambiguous
    from embedded
    inner join chunks on embedded.chunk_id = chunks.chunk_id and chunks.is_after
    left join rejected on embedded.batch_id = rejected.batch_id
    group by embedded.chunk_id

),

changes as (

    select
        chunks.doc_id,
        chunks.chunk_id,
        chunks.is_after as is_upsert,
        sources.source_batch,
        sources.source_file,
        coalesce(sources.source_file, chunks.chunk_id) as shard_key
    from chunks
    left join sources on chunks.chunk_id = sources.chunk_id
    where not chunks.is_after or not chunks.is_before or chunks.is_unsure or sources.is_ambiguous

),

titles as (

    select
        doc_id,
        max(title) as title
    from docs_db.source_documents
    where doc_id in (select changes.doc_id from changes where changes.is_upsert)
    group by doc_id

)

select
    ? as sync_id,
    cast(mod(bitwise_and(from_big_endian_64(xxhash64(to_utf8(changes.shard_key))), 4294967295), ?) as integer) as shard,
    changes.doc_id,
    changes.chunk_id,
    changes.is_upsert,
    changes.source_batch,
    changes.source_file,
    titles.title
from changes
left join titles on changes.doc_id = titles.doc_id
