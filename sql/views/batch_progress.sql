-- How far each batch is, how long it took, and what it cost. `duration_seconds` runs from the plan to the publication, in an unfinished or
-- discarded batch to its last step.
-- Grain:   one row per batch.
-- Used by: people

create or replace view embeddings_db.batch_progress as

with

batches as (

    select
        batch_id,
        batch_number,
        profile,
        model_version,
        coalesce(kind, 'embed') as kind,
        state,
        dag_id,
        run_id,
        source_snapshot,
        coalesce(documents_new, 0) + coalesce(documents_changed, 0) + coalesce(documents_deleted, 0) as document_count,
        documents_remaining,
        chunks_planned,
        texts_embedded,
        tokens_estimated,
        price_estimated,
        seconds_estimated,
        requests,
        tokens_embedded,
        price,
        price_saved,
        planned_at,
        published_at,
        updated_at,
        date_diff('millisecond', planned_at, coalesce(published_at, updated_at)) / 1000e0 as duration_seconds,
        message
    from embeddings_db.embedding_batches

)

select
    batch_id,
    batch_number,
    profile,
    model_version,
    kind,
    state,
    state in ('planned', 'priced', 'committed', 'blocked') as is_open,
    case state
        when 'planned' then 1
        when 'priced' then 2
        when 'committed' then 3
        when 'blocked' then 3
        when 'published' then 4
    end as stage_number,
    dag_id,
    run_id,
    source_snapshot,
    document_count,
    documents_remaining,
    chunks_planned,
    texts_embedded,
    tokens_estimated,
    price_estimated,
    seconds_estimated,
    requests,
    tokens_embedded,
    price,
    price_saved,
    planned_at,
    published_at,
    updated_at,
    duration_seconds,
    chunks_planned / nullif(duration_seconds, 0e0) as chunks_per_second,
    message
from batches
