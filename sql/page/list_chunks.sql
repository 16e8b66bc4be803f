-- The chunks of one version of a document in reading order, each with its newest row that no rejected batch made.
-- Grain:   one row per chunk of the version.
-- Binds:   1. profile, 2. doc_id, 3. profile, 4. doc_id, 5. batch_number of the version, 6. model_version, 7. doc_id, 8. number of rows.
-- Used by: page/reading.py

with

-- A row is written by a batch that recorded a version of its document: only the files of those batches are opened.
writers as (

    select distinct batch_id
    from embeddings_db.document_versions
    where
        profile = ?
        and doc_id = ?

),

chunks as (

    select
        ids.chunk_id,
        ids.position
    from embeddings_db.document_versions as versions
    cross join unnest(versions.chunk_ids) with ordinality as ids (chunk_id, position)
    where
        versions.profile = ?
        and versions.doc_id = ?
        and versions.batch_number = ?

),

rejected as (

    select batch_id
    from embeddings_db.embedding_batches
    where state = 'rejected'

),

embedded as (

    select
        chunk_id,
        max_by(chunk_text, created_at) as chunk_text,
        max_by(token_count, created_at) as token_count,
        max_by(start_offset, created_at) as start_offset,
        max_by(batch_id, created_at) as batch_id,
        max_by(copied_from_batch, created_at) as copied_from_batch
    from embeddings_db.document_embeddings
    where
        model_version = ?
        and doc_id = ?
        and batch_id in (select writers.batch_id from writers)
        and batch_id not in (select rejected.batch_id from rejected)
        and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected)
    group by chunk_id

)

select
    chunks.position - 1 as chunk_index,
    chunks.chunk_id,
    embedded.chunk_text,
    embedded.token_count,
    embedded.start_offset,
    embedded.batch_id,
    embedded.copied_from_batch
from chunks
left join embedded on chunks.chunk_id = embedded.chunk_id
order by chunks.position
limit ?
