-- What a batch's plan holds; a document that stands twice in the source stands twice in the plan, and counts once.
-- Grain:   one row.
-- Binds:   1. batch_id.
-- Used by: steps/embed_documents/planning.py

select
    count(distinct if(change = 'new', doc_id)) as new_count,
    count(distinct if(change = 'changed', doc_id)) as changed_count,
    count(distinct if(change = 'deleted', doc_id)) as deleted_count
from embeddings_db.batch_documents
where batch_id = ?
