-- A few findings of each kind, to show what a repair is about.
-- Grain:   one row per record_id.
-- Binds:   1. reconciliation_id, 2. how many of each kind.
-- Used by: clients/reconciliations.py

with

numbered as (

    select
        finding,
        record_id,
        detail,
        row_number() over (partition by finding order by record_id) as number
    from embeddings_db.index_findings
    where reconciliation_id = ?

)

select
    finding,
    record_id,
    detail
from numbered
where number <= ?
order by finding, record_id
