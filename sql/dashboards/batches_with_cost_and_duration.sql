-- Every batch: how far it is, what it embedded, what that cost and how long it took, as estimated and as it was. The newest comes first.
-- Grain:   one row per batch.
-- Used by: people

select
    batch_number,
    batch_id,
    profile,
    model_version,
    kind,
    state,
    is_open,
    stage_number,
    document_count,
    documents_remaining,
    chunks_planned,
    texts_embedded,
    tokens_estimated,
    tokens_embedded,
    requests,
    price_estimated,
    price,
    price_saved,
    sum(coalesce(price, if(state = 'discarded', 0e0, price_estimated))) over (partition by profile order by batch_number) as price_so_far,
    seconds_estimated,
    duration_seconds,
    chunks_per_second,
    planned_at,
    published_at,
    dag_id,
    run_id,
    message
from embeddings_db.batch_progress
order by batch_number desc
