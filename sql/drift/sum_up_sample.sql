-- How many chunks, of how many documents, the sample holds of each state.
-- Grain:   one row.
-- Binds:   1. sample_id.
-- Used by: clients/drift.py

select
    count_if(not is_current) as chunks_before,
    count_if(is_current) as chunks_after,
    count(distinct if(not is_current, doc_id)) as documents_before,
    count(distinct if(is_current, doc_id)) as documents_after
from embeddings_db.drift_samples
where sample_id = ?
