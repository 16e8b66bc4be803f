-- What there is of each model version: current documents and chunks, and the vectors that are stored, those of rejected batches among them.
-- No vector is read, and of the ledger's chunk lists only their lengths.
-- Grain:   one row per profile and model_version.
-- Used by: people

create or replace view embeddings_db.model_version_counts as

with

batches as (

    select
        batch_id,
        model_version,
        state = 'rejected' as is_rejected
    from embeddings_db.embedding_batches

),

stored as (

    select
        profile,
        model_version,
        batch_id,
        copied_from_batch,
        count(*) as vector_count,
        min(created_at) as first_created_at,
        max(created_at) as last_created_at
    from embeddings_db.document_embeddings
    group by
        profile,
        model_version,
        batch_id,
        copied_from_batch

),

vectors as (

    select
        stored.profile,
        stored.model_version,
        sum(stored.vector_count) as vector_count,
        sum(if(stored.copied_from_batch is null, 0, stored.vector_count)) as copied_vector_count,
        sum(
            if(
                coalesce(writers.is_rejected, false) or coalesce(makers.is_rejected, false),
                stored.vector_count,
                0
            )
        ) as rejected_vector_count,
        min(stored.first_created_at) as first_created_at,
        max(stored.last_created_at) as last_created_at
    from stored
    left join batches as writers on stored.batch_id = writers.batch_id
    left join batches as makers on stored.copied_from_batch = makers.batch_id
    group by
        stored.profile,
        stored.model_version

),

latest as (

    select
        profile,
        doc_id,
        max_by(batch_id, batch_number) as batch_id,
        max_by(is_deleted, batch_number) as is_deleted,
        max_by(cardinality(chunk_ids), batch_number) as chunk_count
    from embeddings_db.document_versions
    group by
        profile,
        doc_id

),

documents as (

    select
        latest.profile,
        batches.model_version,
        count(*) as document_count,
        sum(latest.chunk_count) as chunk_count
    from latest
    inner join batches on latest.batch_id = batches.batch_id
    where not latest.is_deleted
    group by
        latest.profile,
        batches.model_version

)

select
    coalesce(vectors.profile, documents.profile) as profile,
    coalesce(vectors.model_version, documents.model_version) as model_version,
    coalesce(documents.document_count, 0) as document_count,
    coalesce(documents.chunk_count, 0) as chunk_count,
    coalesce(vectors.vector_count, 0) as vector_count,
    coalesce(vectors.copied_vector_count, 0) as copied_vector_count,
    coalesce(vectors.rejected_vector_count, 0) as rejected_vector_count,
    vectors.first_created_at,
    vectors.last_created_at
from vectors
full outer join documents
    on
        vectors.profile = documents.profile
        and vectors.model_version = documents.model_version
