-- What models refused, by reason: how many chunks of how many documents, over what time, and the last of them.
-- Grain:   one row per profile and reason_code.
-- Used by: people

select
    profile,
    reason_code,
    count(*) as chunk_count,
    count(distinct text_hash) as text_count,
    count(distinct doc_id) as document_count,
    count(distinct batch_id) as batch_count,
    max(length(chunk_text)) as longest_text,
    min(rejected_at) as first_rejected_at,
    max(rejected_at) as last_rejected_at,
    max_by(batch_id, rejected_at) as last_batch_id,
    max_by(doc_id, rejected_at) as last_doc_id,
    max_by(reason, rejected_at) as last_reason
from embeddings_db.rejected_chunks
group by
    profile,
    reason_code
order by
    profile asc,
    chunk_count desc,
    reason_code asc
