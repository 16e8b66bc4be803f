-- The ids of the records that a release holds at a state of the ledger, rising.
-- Grain:   one row per chunk_id.
-- Binds:   1. profile, 2. profile, 3. lowest chunk_id, 4. chunk_id to stop before.
-- Names:   versions (embeddings_db.document_versions).
-- Used by: clients/rebuilds.py

with

latest as (

    select
        doc_id,
        max(batch_number) as batch_number
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ?
    group by doc_id

),

versions as (

    select
        doc_id,
        batch_number,
        chunk_ids
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ? and not is_deleted

)

select distinct chunks.chunk_id
from versions
inner join latest
    on
        versions.doc_id = latest.doc_id
        and versions.batch_number = latest.batch_number
cross join unnest(versions.chunk_ids) as chunks (chunk_id)
where chunks.chunk_id >= ? and chunks.chunk_id < ?
order by chunks.chunk_id
