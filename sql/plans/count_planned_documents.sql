-- What a batch's plan holds.
-- Grain:   one row.
-- Binds:   1. batch_id.
-- Used by: steps/embed_documents/planning.py

select
    count_if(change = 'new') as new_count,
    count_if(change = 'changed') as changed_count,
    count_if(change = 'deleted') as deleted_count
from embeddings_db.batch_documents
where batch_id = ?
