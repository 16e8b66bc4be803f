-- What each batch did not have to embed, and what its profile saved so far: chunks whose row existed (kept), chunks whose text had a vector
-- elsewhere (copied), and chunks that share a new text within the batch (shared).
-- Grain:   one row per batch that was priced; roll-backs embed nothing and are left out.
-- Used by: people

with

batches as (

    select
        batch_number,
        batch_id,
        profile,
        state,
        chunks_planned,
        chunks_kept,
        chunks_copied,
        chunks_embedded - texts_embedded as chunks_shared,
        texts_embedded,
        tokens_estimated,
        price_estimated
    from embeddings_db.embedding_costs
    where
        kind = 'embed'
        and texts_embedded is not null

),

summed as (

    select
        batch_number,
        batch_id,
        profile,
        state,
        chunks_planned,
        chunks_kept,
        chunks_copied,
        chunks_shared,
        texts_embedded,
        tokens_estimated,
        price_estimated,
        sum(chunks_planned) over (partition by profile order by batch_number) as planned_so_far,
        sum(texts_embedded) over (partition by profile order by batch_number) as embedded_so_far
    from batches

)

select
    batch_number,
    batch_id,
    profile,
    state,
    chunks_planned,
    chunks_kept,
    chunks_copied,
    chunks_shared,
    texts_embedded,
    tokens_estimated,
    price_estimated,
    1e0 - texts_embedded * 1e0 / nullif(chunks_planned, 0) as saved_share,
    planned_so_far,
    embedded_so_far,
    1e0 - embedded_so_far * 1e0 / nullif(planned_so_far, 0) as saved_share_so_far
from summed
order by
    profile,
    batch_number
