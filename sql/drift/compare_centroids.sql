-- The centroids (mean vectors) of the sampled chunks of both states: the cosine distance between them, how long each is against its vectors
-- (1 where all point the same way, 0 where they cancel out), and mean and spread (standard deviation) of the vectors' norms.
-- Grain:   one row; nulls for a state without vectors.
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

norms as (

    select
        is_current,
        avg(sqrt(dot_product(vector, vector))) as norm_mean,
        stddev_pop(sqrt(dot_product(vector, vector))) as norm_spread
    from vectors
    group by is_current

),

means as (

    select
        vectors.is_current,
        opened.position,
        avg(opened.value) as mean
    from vectors
    cross join unnest(vectors.vector) with ordinality as opened (value, position)
    group by
        vectors.is_current,
        opened.position

),

centroids as (

    select
        array_agg(mean order by position) filter (where not is_current) as centroid_before,
        array_agg(mean order by position) filter (where is_current) as centroid_after
    from means

),

figures as (

    select
        max(if(not is_current, norm_mean)) as norm_before,
        max(if(is_current, norm_mean)) as norm_after,
        max(if(not is_current, norm_spread)) as spread_before,
        max(if(is_current, norm_spread)) as spread_after
    from norms

)

select
    if(
        centroids.centroid_before is not null and centroids.centroid_after is not null,
        cosine_distance(centroids.centroid_before, centroids.centroid_after)
    ) as centroid_distance,
    sqrt(dot_product(centroids.centroid_before, centroids.centroid_before)) / figures.norm_before as length_before,
    sqrt(dot_product(centroids.centroid_after, centroids.centroid_after)) / figures.norm_after as length_after,
    figures.norm_before,
    figures.norm_after,
    figures.spread_before,
    figures.spread_after
from centroids
cross join figures
