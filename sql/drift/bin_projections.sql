-- How the sampled vectors of both states are distributed along eight fixed directions, by the baseline's deciles of each. A direction has
-- +1 or -1 for each dimension, by the lowest bit of a hash of both numbers: random projections with binary coins (Achlioptas, Database-
-- friendly random projections, 2003), the same in every run. A shift along any direction shows in some of them.
-- Grain:   one row per direction and bin.
-- Binds:   1. sample_id, 2. number of dimensions, 3. number of dimensions.
-- Used by: clients/drift.py

with

vectors as (

    select
        is_current,
        cast(embedding as array(double)) as vector
    from embeddings_db.drift_samples
    where sample_id = ? and cardinality(embedding) = ?

),

directions as (

    select
        drawn.number,
        array_agg(
            if(
                bitwise_and(
                    from_big_endian_64(xxhash64(to_utf8(concat(cast(drawn.number as varchar), ':', cast(positions.position as varchar))))),
                    1
                )
                = 0,
                1e0,
                -1e0
            )
            order by positions.position
        ) as direction
    from unnest(sequence(1, 8)) as drawn (number)
    cross join unnest(sequence(1, ?)) as positions (position)
    group by drawn.number

),

measured as (

    select
        vectors.is_current,
        directions.number,
        dot_product(vectors.vector, directions.direction) as value
    from vectors
    cross join directions

),

edges as (

    select
        number,
        array_distinct(array_sort(approx_percentile(value, array[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]))) as deciles
    from measured
    where not is_current
    group by number

),

binned as (

    select
        measured.is_current,
        measured.number,
        width_bucket(measured.value, edges.deciles) as bin
    from measured
    inner join edges on measured.number = edges.number

)

select
    concat('projection_', cast(number as varchar)) as measure,
    bin,
    count_if(not is_current) as baseline_count,
    count_if(is_current) as current_count
from binned
group by
    number,
    bin
