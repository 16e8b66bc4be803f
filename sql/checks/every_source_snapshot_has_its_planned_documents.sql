-- The ledger counts as many embedded and deleted documents of each source snapshot under the batch as the batch planned for it.
-- Why:     the snapshot of a version is what a receipt leads back to; under another one its text is not found, or another is.
-- Grain:   one row per source snapshot whose counts differ.
-- Binds:   1. batch_id, 2. batch_id.
-- Names:   versions_snapshot (embeddings_db.document_versions).
-- Used by: steps/embed_documents/auditing.py

with

stated as (

    select
        source_snapshot,
        documents_new + documents_changed as planned_count,
        documents_deleted as planned_deletes,
        0 as recorded_count,
        0 as recorded_deletes
    from embeddings_db.embedding_batches
    where batch_id = ?

    union all

    select
        source_snapshot,
        0 as planned_count,
        0 as planned_deletes,
        if(is_deleted, 0, 1) as recorded_count,
        if(is_deleted, 1, 0) as recorded_deletes
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    where batch_id = ?

)

select
    source_snapshot,
    sum(planned_count) as planned_count,
    sum(recorded_count) as recorded_count,
    sum(planned_deletes) as planned_deletes,
    sum(recorded_deletes) as recorded_deletes
from stated
group by source_snapshot
having sum(planned_count) <> sum(recorded_count) or sum(planned_deletes) <> sum(recorded_deletes)
