-- How the texts of the sampled chunks are distributed in both states, by the baseline's deciles: their length in characters, and the tokens
-- that the model counts for a hundred characters, which another language or a broken encoding moves.
-- Grain:   one row per measure and bin.
-- Binds:   1. sample_id, 2. sample_id.
-- Used by: clients/drift.py

with

measured as (

    select
        is_current,
        'chunk_length' as measure,
        cast(character_count as double) as value
    from embeddings_db.drift_samples
    where sample_id = ? and character_count is not null

    union all

    select
        is_current,
        'tokens_per_text' as measure,
        token_count * 1e2 / character_count as value
    from embeddings_db.drift_samples
    where sample_id = ? and character_count > 0 and token_count is not null

),

edges as (

    select
        measure,
        array_distinct(array_sort(approx_percentile(value, array[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]))) as deciles
    from measured
    where not is_current
    group by measure

),

binned as (

    select
        measured.is_current,
        measured.measure,
        width_bucket(measured.value, edges.deciles) as bin
    from measured
    inner join edges on measured.measure = edges.measure

)

select
    measure,
    bin,
    count_if(not is_current) as baseline_count,
    count_if(is_current) as current_count
from binned
group by
    measure,
    bin
