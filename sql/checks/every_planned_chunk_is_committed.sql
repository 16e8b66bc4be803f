-- For every document of the batch, the chunks planned to be written are the chunks committed or rejected, by identity.
-- Why:     a lost part or a wrong file would go unseen in a total; here each document must agree.
-- Grain:   one row per document whose chunks differ.
-- Binds:   1. batch_id, 2. batch_id, 3. batch_id, 4. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

with

kept as (

    select chunk_id
    from embeddings_db.batch_reuse
    where
        batch_id = ?
        and is_kept

),

refused as (

    select chunk_id
    from embeddings_db.rejected_chunks
    where batch_id = ?

),

stated as (

    select
        doc_id,
        chunk_id,
        1 as planned_count,
        0 as committed_count
    from embeddings_db.batch_chunks
    where
        batch_id = ?
        and chunk_id not in (select kept.chunk_id from kept)
        and chunk_id not in (select refused.chunk_id from refused)

    union all

    select
        doc_id,
        chunk_id,
        0 as planned_count,
        1 as committed_count
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where batch_id = ?

),

compared as (

    select
        doc_id,
        chunk_id,
        sum(planned_count) as planned_count,
        sum(committed_count) as committed_count
    from stated
    group by
        doc_id,
        chunk_id

)

select
    doc_id,
    count_if(committed_count < planned_count) as missing_count,
    count_if(committed_count > planned_count) as unplanned_count
from compared
where planned_count <> committed_count
group by doc_id
