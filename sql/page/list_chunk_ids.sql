-- The first chunks of one version of a document, by default of its newest, in reading order.
-- Grain:   one row, none for a version that does not exist.
-- Binds:   1. number of chunks, 2. profile, 3. doc_id, 4. batch_number of the version, or null for the newest.
-- Used by: page/reading.py

select
    batch_number,
    cast(slice(chunk_ids, 1, ?) as json) as chunk_ids
from embeddings_db.document_versions
where
    profile = ?
    and doc_id = ?
    and batch_number = coalesce(?, batch_number)
order by batch_number desc
limit 1
