-- Every document of the batch's plan has one ledger row of the planned version, and the ledger holds no other row of the batch.
-- Why:     the ledger row is what makes a version current.
-- Grain:   one row per offending document.
-- Binds:   1. batch_id, 2. batch_id.
-- Names:   versions_snapshot (embeddings_db.document_versions).
-- Used by: steps/embed_documents/auditing.py

with

stated as (

    select distinct
        doc_id,
        content_hash,
        change = 'deleted' as is_deleted,
        1 as planned_count,
        0 as recorded_count
    from embeddings_db.batch_documents
    where batch_id = ?

    union all

    select
        doc_id,
        content_hash,
        is_deleted,
        0 as planned_count,
        1 as recorded_count
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    where batch_id = ?

)

select
    doc_id,
    content_hash,
    is_deleted,
    sum(planned_count) as planned_count,
    sum(recorded_count) as recorded_count
from stated
group by
    doc_id,
    content_hash,
    is_deleted
having sum(planned_count) <> 1 or sum(recorded_count) <> 1
