-- No chunk of the batch has more than one row in its profile, rows of rejected batches aside.
-- Why:     a chunk with two vectors has no one answer to where it came from; two batches may have embedded it side by side.
-- Grain:   one row per chunk_id that stands more than once.
-- Binds:   1. batch_id, 2. model_version, 3. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

with

committed as (

    select distinct chunk_id
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where batch_id = ?

),

rejected as (

    select batch_id
    from embeddings_db.embedding_batches
    where state = 'rejected'

)

select
    min(doc_id) as doc_id,
    chunk_id,
    count(*) as row_count,
    cast(array_agg(distinct batch_id) as json) as batch_ids
from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
where
    model_version = ?
    and chunk_id in (select committed.chunk_id from committed)
    and (
        batch_id = ?
        or (
            batch_id not in (select rejected.batch_id from rejected)
            and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected)
        )
    )
group by chunk_id
having count(*) > 1
