-- What became of the documents between two states of the ledger: how many there are, which changed, which were cut anew without a change.
-- Cut anew (re-chunked) is a document with the same text and other chunks, compared by a hash over the list of their ids.
-- Grain:   one row.
-- Binds:   1. profile of the baseline, 2. its last batch number, 3. profile, 4. its last batch number.
-- Names:   versions (embeddings_db.document_versions).
-- Used by: clients/drift.py

with

ledger as (

    select
        false as is_current,
        doc_id,
        batch_number,
        if(is_deleted, null, content_hash) as content_hash,
        cardinality(array_distinct(chunk_ids)) as chunk_count,
        xxhash64(to_utf8(array_join(chunk_ids, ','))) as chunks_hash
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ? and batch_number <= ?

    union all

    select
        true as is_current,
        doc_id,
        batch_number,
        if(is_deleted, null, content_hash) as content_hash,
        cardinality(array_distinct(chunk_ids)) as chunk_count,
        xxhash64(to_utf8(array_join(chunk_ids, ','))) as chunks_hash
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ? and batch_number <= ?

),

compared as (

    select
        doc_id,
        max_by(content_hash, batch_number) filter (where not is_current) as hash_before,
        max_by(content_hash, batch_number) filter (where is_current) as hash_after,
        max_by(chunk_count, batch_number) filter (where not is_current) as count_before,
        max_by(chunk_count, batch_number) filter (where is_current) as count_after,
        max_by(chunks_hash, batch_number) filter (where not is_current) as chunks_before,
        max_by(chunks_hash, batch_number) filter (where is_current) as chunks_after
    from ledger
    group by doc_id

)

select
    count(hash_before) as documents_before,
    count(hash_after) as documents_after,
    count_if(hash_before is null and hash_after is not null) as added_count,
    count_if(hash_before is not null and hash_after is null) as removed_count,
    count_if(hash_before <> hash_after) as edited_count,
    count_if(hash_before = hash_after) as unchanged_count,
    count_if(hash_before = hash_after and chunks_before <> chunks_after) as rechunked_count,
    coalesce(sum(if(hash_before is not null, count_before)), 0) as chunks_before,
    coalesce(sum(if(hash_after is not null, count_after)), 0) as chunks_after
from compared
