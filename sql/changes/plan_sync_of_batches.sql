-- Plan what leads a release from one state of the ledger to a later one that has more batches and is otherwise the same: the changes that
-- plan_sync plans, at the cost of these batches. Their documents alone are compared, and rows are looked for in the batches' own files. A
-- chunk whose row an earlier batch made (its document got back a text that it had before) is planned without a file.
-- Large tables stand on the left of joins, as in plan_sync.
-- Grain:   one row per chunk_id and sync.
-- Binds:   1. profile, 2. batch ids, 3. profile, 4. profile, 5. batch ids, 6. lowest chunk_id, 7. chunk_id to stop before,
--          8. model_version, 9. profile, 10. batch ids, 11. sync_id, 12. number of shards.
-- Names:   versions_before, versions_after (embeddings_db.document_versions), embeddings_after (embeddings_db.document_embeddings).
-- Used by: clients/sync_plans.py

insert into embeddings_db.sync_changes
(sync_id, shard, doc_id, chunk_id, is_upsert, was_current, source_batch, source_file, title)

with

documents as (

    select distinct doc_id
    from embeddings_db.document_versions for version as of {{ versions_after }}
    where profile = ? and batch_id in (?)

),

versions as (

    select
        held.doc_id,
        held.batch_number,
        if(held.is_deleted, cast(array[] as array(varchar)), held.chunk_ids) as chunk_ids,
        false as is_after
    from embeddings_db.document_versions for version as of {{ versions_before }} as held
    inner join documents on held.doc_id = documents.doc_id
    where held.profile = ?

    union all

    select
        doc_id,
        batch_number,
        if(is_deleted, cast(array[] as array(varchar)), chunk_ids) as chunk_ids,
        true as is_after
    from embeddings_db.document_versions for version as of {{ versions_after }}
    where profile = ? and batch_id in (?)

),

latest as (

    select
        doc_id,
        is_after,
        max_by(chunk_ids, batch_number) as chunk_ids
    from versions
    group by
        doc_id,
        is_after

),

chunks as (

    select
        ids.chunk_id,
        any_value(latest.doc_id) as doc_id,
        not bool_and(latest.is_after) as is_before,
        bool_or(latest.is_after) as is_after
    from latest
    cross join unnest(latest.chunk_ids) as ids (chunk_id)
    where ids.chunk_id >= ? and ids.chunk_id < ?
    group by ids.chunk_id

),

titles as (

    select
        source_documents.doc_id,
        max(source_documents.title) as title
    from docs_db.source_documents
    inner join documents on source_documents.doc_id = documents.doc_id
    group by source_documents.doc_id

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
        if(
            batch_id not in (select rejected.batch_id from rejected)
            and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected),
            "$path"
        ) as source_file
    from embeddings_db.document_embeddings for version as of {{ embeddings_after }}
    where model_version = ? and profile = ? and batch_id in (?)

),

changes as (

    select
        chunks.chunk_id,
        any_value(chunks.doc_id) as doc_id,
        any_value(chunks.is_after) as is_upsert,
        any_value(chunks.is_before) as was_current,
        max(embedded.batch_id) filter (where embedded.source_file is not null) as source_batch,
        max_by(embedded.source_file, embedded.batch_id) filter (where embedded.source_file is not null) as source_file
    from embedded
    right join chunks on embedded.chunk_id = chunks.chunk_id and chunks.is_after
    group by chunks.chunk_id
    having
        not any_value(chunks.is_after)
        or not any_value(chunks.is_before)
        or count(embedded.batch_id) > 0

)

select
    ? as sync_id,
    cast(
        mod(bitwise_and(from_big_endian_64(xxhash64(to_utf8(coalesce(changes.source_file, changes.chunk_id)))), 4294967295), ?) as integer
    ) as shard,
    changes.doc_id,
    changes.chunk_id,
    changes.is_upsert,
    changes.was_current,
    changes.source_batch,
    changes.source_file,
    titles.title
from changes
left join titles on changes.doc_id = titles.doc_id
