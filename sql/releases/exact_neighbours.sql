-- The nearest records of some probe records, by every vector of a slice; those that tie with the tenth are all answered.
-- Numbers are compared as doubles, in which the products of two float32 are exact.
-- Grain:   one row per probe and neighbour.
-- Binds:   1. model_version, 2. profile, 3. sync_id, 4. ids of the probes with commas, 5. sync_id, 6. lowest chunk_id,
--          7. chunk_id to stop before, 8. model_version, 9. profile, 10. metric, 11. metric.
-- Names:   embeddings (embeddings_db.document_embeddings).
-- Used by: clients/rebuilds.py

with

probes as (

    select
        embeddings.chunk_id as probe_id,
        cast(embeddings.embedding as array(double)) as vector
    from embeddings_db.document_embeddings for version as of {{ embeddings }} as embeddings
    inner join embeddings_db.sync_changes as changes
        on
            embeddings.chunk_id = changes.chunk_id
            and embeddings.batch_id = changes.source_batch
    where
        embeddings.model_version = ?
        and embeddings.profile = ?
        and changes.sync_id = ?
        and changes.chunk_id in (select t.chunk_id from unnest(split(?, ',')) as t (chunk_id))

),

planned as (

    select
        chunk_id,
        source_batch
    from embeddings_db.sync_changes
    where sync_id = ? and is_upsert and chunk_id >= ? and chunk_id < ?

),

records as (

    select
        embeddings.chunk_id,
        cast(embeddings.embedding as array(double)) as vector
    from embeddings_db.document_embeddings for version as of {{ embeddings }} as embeddings
    inner join planned
        on
            embeddings.chunk_id = planned.chunk_id
            and embeddings.batch_id = planned.source_batch
    where embeddings.model_version = ? and embeddings.profile = ?

),

compared as (

    select
        probes.probe_id,
        records.chunk_id,
        case
            when ? = 'cosine' then cosine_similarity(records.vector, probes.vector)
            when ? = 'dotproduct' then dot_product(records.vector, probes.vector)
            else -euclidean_distance(records.vector, probes.vector)
        end as similarity
    from records
    cross join probes

),

ranked as (

    select
        probe_id,
        chunk_id,
        similarity,
        rank() over (partition by probe_id order by similarity desc) as place
    from compared

)

select
    probe_id,
    chunk_id,
    similarity
from ranked
where place <= 10
