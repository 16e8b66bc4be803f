-- How many of the sampled chunks of each state have another one with a cosine of at least 0.99. Only chunks below a bound are compared,
-- and only with those on the same side of eight fixed directions through the middle of their state (locality-sensitive hashing by signs:
-- Charikar, Similarity estimation techniques from rounding algorithms, 2002): two vectors with a cosine of 0.99 are on the same sides of
-- all eight in seven of ten cases. So of a large corpus it sees floods of like texts, not single pairs.
-- Grain:   one row.
-- Binds:   1. sample_id, 2. number of dimensions, 3. chunk_id to stop before, 4. number of dimensions.
-- Used by: clients/drift.py

with

vectors as (

    select
        is_current,
        chunk_id,
        cast(embedding as array(double)) as vector
    from embeddings_db.drift_samples
    where sample_id = ? and cardinality(embedding) = ? and chunk_id < ?

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

projected as (

    select
        vectors.is_current,
        vectors.chunk_id,
        directions.number,
        dot_product(vectors.vector, directions.direction) as value
    from vectors
    cross join directions

),

middles as (

    select
        is_current,
        number,
        avg(value) as middle
    from projected
    group by
        is_current,
        number

),

signatures as (

    select
        projected.is_current,
        projected.chunk_id,
        sum(if(projected.value >= middles.middle, cast(pow(2, projected.number) as integer), 0)) as signature
    from projected
    inner join middles
        on
            projected.is_current = middles.is_current
            and projected.number = middles.number
    group by
        projected.is_current,
        projected.chunk_id

),

signed as (

    select
        vectors.is_current,
        vectors.chunk_id,
        vectors.vector,
        signatures.signature
    from vectors
    inner join signatures
        on
            vectors.is_current = signatures.is_current
            and vectors.chunk_id = signatures.chunk_id

),

duplicates as (

    select distinct
        one.is_current,
        one.chunk_id
    from signed as one
    inner join signed as other
        on
            one.is_current = other.is_current
            and one.signature = other.signature
            and one.chunk_id <> other.chunk_id
    where cosine_similarity(one.vector, other.vector) >= 0.99

)

select
    count_if(not vectors.is_current) as compared_before,
    count_if(vectors.is_current) as compared_after,
    count_if(not vectors.is_current and duplicates.chunk_id is not null) as duplicates_before,
    count_if(vectors.is_current and duplicates.chunk_id is not null) as duplicates_after
from vectors
left join duplicates
    on
        vectors.is_current = duplicates.is_current
        and vectors.chunk_id = duplicates.chunk_id
