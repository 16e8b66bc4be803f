-- What a profile's batches asked of the model and what they reused, in all and since a time: as paid, an open batch as estimated.
-- Grain:   one row.
-- Binds:   1. profile, 2. the time, 3. the time, 4. the time, 5. the time.
-- Used by: page/reading.py

with

batches as (

    select
        planned_at,
        coalesce(tokens_embedded, if(state <> 'discarded', tokens_estimated)) as tokens,
        coalesce(price, if(state <> 'discarded', price_estimated)) as price,
        chunks_planned,
        chunks_embedded
    from embeddings_db.embedding_batches
    where profile = ?

)

select
    coalesce(sum(tokens), 0) as tokens,
    coalesce(sum(price), 0e0) as price,
    coalesce(sum(chunks_planned), 0) as chunks_planned,
    coalesce(sum(chunks_embedded), 0) as chunks_embedded,
    coalesce(sum(tokens) filter (where planned_at >= ?), 0) as recent_tokens,
    coalesce(sum(price) filter (where planned_at >= ?), 0e0) as recent_price,
    coalesce(sum(chunks_planned) filter (where planned_at >= ?), 0) as recent_chunks_planned,
    coalesce(sum(chunks_embedded) filter (where planned_at >= ?), 0) as recent_chunks_embedded
from batches
