-- What a comparison found.
-- Grain:   one row.
-- Binds:   1. ingest_id, 2. ingest_id, 3. comparison_id.
-- Used by: steps/ingest_documents/comparing.py

with

rejected as (

    select count(*) as rejection_count
    from docs_db.staged_documents
    where ingest_id = ? and reason_code is not null

)

select
    count_if(changes.change = 'new') as new_count,
    count_if(changes.change = 'changed') as changed_count,
    count_if(changes.change = 'removed') as removed_count,
    count_if(changes.change = 'duplicate') + arbitrary(rejected.rejection_count) as rejected_count
from rejected
left join docs_db.ingest_changes as changes on changes.ingest_id = ? and changes.comparison_id = ?
