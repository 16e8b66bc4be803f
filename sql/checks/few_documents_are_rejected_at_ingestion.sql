-- Few of the documents that were read between the profile's batch before and this one were rejected.
-- Why:     a broken export or parser takes documents away without an error; those that stay keep the batch small and green.
-- Grain:   one row: the rejected share (null where nothing was read), rejected and read documents, and ingestions.
-- Binds:   1. batch_id.
-- Used by: steps/embed_documents/auditing.py

with

this as (

    select
        profile,
        batch_number,
        planned_at
    from embeddings_db.embedding_batches
    where batch_id = ?

),

before as (

    select
        this.planned_at,
        max(others.planned_at) as planned_before
    from this
    left join embeddings_db.embedding_batches as others
        on
            this.profile = others.profile
            and this.batch_number > others.batch_number
            and others.state = 'published'
            and others.kind is null
    group by this.planned_at

),

counted as (

    select
        sum(runs.rejected_documents) as rejected_count,
        sum(runs.rejected_documents + runs.new_documents + runs.changed_documents) as read_count,
        count(*) as ingest_count
    from docs_db.ingest_runs as runs
    inner join before
        on
            runs.finished_at <= before.planned_at
            and (before.planned_before is null or runs.finished_at > before.planned_before)

)

select
    cast(rejected_count as double) / nullif(read_count, 0) as rejected_share,
    rejected_count,
    read_count,
    ingest_count
from counted
