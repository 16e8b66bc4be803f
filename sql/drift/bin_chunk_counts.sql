-- How many documents of two states have how many chunks, in bins that double: 0, 1, 2 to 3, 4 to 7 and so on.
-- Grain:   one row per bin.
-- Binds:   1. profile of the baseline, 2. its last batch number, 3. profile, 4. its last batch number.
-- Names:   versions (embeddings_db.document_versions).
-- Used by: clients/drift.py

with

ledger as (

    select
        false as is_current,
        doc_id,
        batch_number,
        is_deleted,
        cardinality(chunk_ids) as chunk_count
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ? and batch_number <= ?

    union all

    select
        true as is_current,
        doc_id,
        batch_number,
        is_deleted,
        cardinality(chunk_ids) as chunk_count
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ? and batch_number <= ?

),

latest as (

    select
        is_current,
        doc_id,
        max_by(chunk_count, batch_number) as chunk_count,
        max_by(is_deleted, batch_number) as is_deleted
    from ledger
    group by
        is_current,
        doc_id

)

select
    'chunks_per_document' as measure,
    if(chunk_count = 0, -1, cast(floor(log2(chunk_count)) as integer)) as bin,
    count_if(not is_current) as baseline_count,
    count_if(is_current) as current_count
from latest
where not is_deleted
group by if(chunk_count = 0, -1, cast(floor(log2(chunk_count)) as integer))
