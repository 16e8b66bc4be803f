-- The nearest records of some probe records, among those of a slice that a release holds at its snapshots; those that tie with the tenth
-- are all answered. Numbers are compared as doubles, in which the products of two float32 are exact. Of a chunk that several batches
-- embedded the row of the latest one counts, as for a sync; which one that is is found without the vectors, so that none is held in memory.
-- Grain:   one row per probe and neighbour.
-- Binds:   1. profile, 2. profile, 3. lowest chunk_id, 4. chunk_id to stop before, 5. profile, 6. ids of the probes with commas,
--          7. profile, 8. lowest chunk_id, 9. chunk_id to stop before, 10. profile, 11. lowest chunk_id, 12. chunk_id to stop before,
--          13. metric, 14. metric.
-- Names:   versions (embeddings_db.document_versions), embeddings (embeddings_db.document_embeddings).
-- Used by: clients/drift_index.py

with

latest as (

    select
        doc_id,
        max(batch_number) as batch_number
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ?
    group by doc_id

),

versions as (

    select
        doc_id,
        batch_number,
        chunk_ids
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ? and not is_deleted

),

held as (

    select distinct chunks.chunk_id
    from versions
    inner join latest
        on
            versions.doc_id = latest.doc_id
            and versions.batch_number = latest.batch_number
    cross join unnest(versions.chunk_ids) as chunks (chunk_id)
    where chunks.chunk_id >= ? and chunks.chunk_id < ?

),

rejected as (

    select batch_id
    from embeddings_db.embedding_batches
    where state = 'rejected'

),

probes as (

    select
        chunk_id as probe_id,
        max_by(cast(embedding as array(double)), batch_id) as vector
    from embeddings_db.document_embeddings for version as of {{ embeddings }}
    where
        profile = ?
        and chunk_id in (select t.chunk_id from unnest(split(?, ',')) as t (chunk_id))
        and batch_id not in (select rejected.batch_id from rejected)
        and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected)
    group by chunk_id

),

newest as (

    select
        embeddings.chunk_id,
        max(embeddings.batch_id) as batch_id
    from embeddings_db.document_embeddings for version as of {{ embeddings }} as embeddings
    inner join held on embeddings.chunk_id = held.chunk_id
    where
        embeddings.profile = ?
        and embeddings.chunk_id >= ?
        and embeddings.chunk_id < ?
        and embeddings.batch_id not in (select rejected.batch_id from rejected)
        and coalesce(embeddings.copied_from_batch, embeddings.batch_id) not in (select rejected.batch_id from rejected)
    group by embeddings.chunk_id

),

records as (

    select
        embeddings.chunk_id,
        cast(embeddings.embedding as array(double)) as vector
    from embeddings_db.document_embeddings for version as of {{ embeddings }} as embeddings
    inner join newest
        on
            embeddings.chunk_id = newest.chunk_id
            and embeddings.batch_id = newest.batch_id
    where
        embeddings.profile = ?
        and embeddings.chunk_id >= ?
        and embeddings.chunk_id < ?

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
