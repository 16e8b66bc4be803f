-- What each batch asked of the model, what it reused, and what both are worth at the profile's price: as estimated by its plan, and as paid
-- by every try. `price_spent` is the price where it is known, and the estimate of an open batch. A roll-back asks for nothing.
-- Grain:   one row per batch.
-- Used by: people

create or replace view embeddings_db.embedding_costs as

select
    batch_id,
    batch_number,
    profile,
    model_version,
    coalesce(kind, 'embed') as kind,
    state,
    documents_new,
    documents_changed,
    documents_deleted,
    chunks_planned,
    chunks_kept,
    chunks_copied,
    chunks_embedded,
    texts_embedded,
    tokens_estimated,
    price_estimated,
    requests,
    tokens_embedded,
    price,
    coalesce(price, if(state = 'discarded', 0e0, price_estimated), 0e0) as price_spent,
    tokens_reused,
    price_saved,
    approved_by,
    approved_at,
    if(coalesce(chunks_planned, 0) = 0, 0e0, (chunks_kept + chunks_copied) * 1e0 / chunks_planned) as reused_share,
    planned_at,
    updated_at
from embeddings_db.embedding_batches
