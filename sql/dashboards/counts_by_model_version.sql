-- How many documents, chunks and vectors there are of each model version.
-- `vector_count` counts every stored row, also those of past versions and of rejected batches.
-- Grain:   one row per profile and model_version.
-- Used by: people

select
    profile,
    model_version,
    document_count,
    chunk_count,
    vector_count,
    copied_vector_count,
    rejected_vector_count,
    first_created_at,
    last_created_at
from embeddings_db.model_version_counts
order by
    profile,
    model_version
