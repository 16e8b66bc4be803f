-- What became of every batch of every profile: a vector can be a copy from any of them.
-- Grain:   one row per batch.
-- Used by: page/reading.py

select
    batch_id,
    state,
    coalesce(kind, 'embed') as kind,
    published_at
from embeddings_db.embedding_batches
