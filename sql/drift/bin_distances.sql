-- How far the sampled vectors of both states are from the baseline's centroid (cosine distance), by the baseline's deciles.
-- Grain:   one row per bin.
-- Binds:   1. sample_id, 2. number of dimensions.
-- Used by: clients/drift.py

with

vectors as (

    select
        is_current,
        cast(embedding as array(double)) as vector
    from embeddings_db.drift_samples
    where sample_id = ? and cardinality(embedding) = ?

),

means as (

    select
        opened.position,
        avg(opened.value) as mean
    from vectors
    cross join unnest(vectors.vector) with ordinality as opened (value, position)
    where not vectors.is_current
    group by opened.position

),

centroid as (

    select array_agg(mean order by position) as vector
    from means

),

measured as (

    select
        vectors.is_current,
        cosine_distance(vectors.vector, centroid.vector) as distance
    from vectors
    cross join centroid
    where centroid.vector is not null

),

edges as (

    select array_distinct(array_sort(approx_percentile(distance, array[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]))) as deciles
    from measured
    where not is_current

),

binned as (

    select
        measured.is_current,
        width_bucket(measured.distance, edges.deciles) as bin
    from measured
    cross join edges
    where measured.distance is not null and edges.deciles is not null

)

select
    'distance_to_centroid' as measure,
    bin,
    count_if(not is_current) as baseline_count,
    count_if(is_current) as current_count
from binned
group by bin
