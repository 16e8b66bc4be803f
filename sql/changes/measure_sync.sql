-- How far apart two states of the ledger are: the chunks of the documents that differ, in both states, and the records of the later one.
-- Grain:   one row.
-- Binds:   1. profile, 2. whether there is a state before, 3. profile, 4. ids of unrecorded syncs with commas.
-- Names:   versions_before, versions_after (embeddings_db.document_versions).
-- Used by: clients/sync_plans.py

with

ledger as (

    select
        doc_id,
        batch_number as number_before,
        cast(null as bigint) as number_after,
        if(is_deleted, 0, cardinality(chunk_ids)) as chunk_count,
        false as is_unsure
    from embeddings_db.document_versions for version as of {{ versions_before }}
    where profile = ? and ?

    union all

    select
        doc_id,
        null as number_before,
        batch_number as number_after,
        if(is_deleted, 0, cardinality(chunk_ids)) as chunk_count,
        false as is_unsure
    from embeddings_db.document_versions for version as of {{ versions_after }}
    where profile = ?

    union all

    select
        doc_id,
        null as number_before,
        null as number_after,
        1 as chunk_count,
        true as is_unsure
    from embeddings_db.sync_changes
    where sync_id in (select t.sync_id from unnest(split(?, ',')) as t (sync_id))

),

documents as (

    select
        doc_id,
        coalesce(max_by(chunk_count, number_before), 0) as count_before,
        coalesce(max_by(chunk_count, number_after), 0) as count_after,
        count_if(is_unsure) as unsure_count,
        max(number_before) is distinct from max(number_after) as is_changed
    from ledger
    group by doc_id

)

select
    coalesce(sum(count_before + count_after + unsure_count) filter (where is_changed or unsure_count > 0), 0) as chunk_count,
    coalesce(sum(count_after), 0) as record_count
from documents
