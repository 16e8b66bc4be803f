-- Which models embedded the sampled chunks of both states, and which strategies cut them.
-- Grain:   one row per model_name, model_version and chunking_strategy.
-- Binds:   1. sample_id.
-- Used by: clients/drift.py

select
    model_name,
    model_version,
    chunking_strategy,
    count_if(not is_current) as baseline_count,
    count_if(is_current) as current_count
from embeddings_db.drift_samples
where sample_id = ?
group by
    model_name,
    model_version,
    chunking_strategy
