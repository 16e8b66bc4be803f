-- What a profile's batches asked of the model and what they reused, in all and since a time.
-- Grain:   one row.
-- Binds:   1. the time, 2. the time, 3. the time, 4. the time, 5. profile.
-- Used by: page/reading.py

select
    coalesce(sum(tokens_estimated), 0) as tokens,
    coalesce(sum(price_estimated), 0e0) as price,
    coalesce(sum(chunks_planned), 0) as chunks_planned,
    coalesce(sum(chunks_embedded), 0) as chunks_embedded,
    coalesce(sum(tokens_estimated) filter (where planned_at >= ?), 0) as recent_tokens,
    coalesce(sum(price_estimated) filter (where planned_at >= ?), 0e0) as recent_price,
    coalesce(sum(chunks_planned) filter (where planned_at >= ?), 0) as recent_chunks_planned,
    coalesce(sum(chunks_embedded) filter (where planned_at >= ?), 0) as recent_chunks_embedded
from embeddings_db.embedding_batches
where profile = ?
