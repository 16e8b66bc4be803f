-- What a release of a profile holds at a state of the ledger.
-- Grain:   one row.
-- Binds:   1. profile.
-- Names:   versions (embeddings_db.document_versions).
-- Used by: clients/rebuilds.py

with

latest as (

    select
        doc_id,
        max_by(if(is_deleted, 0, cardinality(chunk_ids)), batch_number) as chunk_count
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ?
    group by doc_id

)

select
    count_if(chunk_count > 0) as document_count,
    coalesce(sum(chunk_count), 0) as record_count
from latest
