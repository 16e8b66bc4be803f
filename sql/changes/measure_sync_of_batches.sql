-- How many chunks the documents of these batches have, in the state of the ledger before them and in theirs.
-- Grain:   one row.
-- Binds:   1. profile, 2. batch ids, 3. profile, 4. profile, 5. batch ids.
-- Names:   versions_before, versions_after (embeddings_db.document_versions).
-- Used by: clients/sync_plans.py

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
        if(held.is_deleted, 0, cardinality(held.chunk_ids)) as chunk_count,
        false as is_after
    from embeddings_db.document_versions for version as of {{ versions_before }} as held
    inner join documents on held.doc_id = documents.doc_id
    where held.profile = ?

    union all

    select
        doc_id,
        batch_number,
        if(is_deleted, 0, cardinality(chunk_ids)) as chunk_count,
        true as is_after
    from embeddings_db.document_versions for version as of {{ versions_after }}
    where profile = ? and batch_id in (?)

),

latest as (

    select
        doc_id,
        is_after,
        max_by(chunk_count, batch_number) as chunk_count
    from versions
    group by
        doc_id,
        is_after

)

select coalesce(sum(chunk_count), 0) as chunk_count
from latest
