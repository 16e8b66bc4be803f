-- Put the chunks of two states into a sample: those whose id lies below a bound. The ids are hashes, so the share of a corpus that this
-- takes is drawn as if by lot, and the same chunks are drawn again from the next state. Each has its newest vector of a batch up to the
-- state's last one; vectors of rejected batches, and copies of them, are part of no state. The vectors are read once for both.
-- Grain:   one row per state and chunk_id.
-- Binds:   1. profile of the baseline, 2. its last batch number, 3. profile, 4. its last batch number, 5. chunk_id to stop before,
--          6. chunk_id to stop before, 7. sample_id, 8. profile.
-- Names:   versions (embeddings_db.document_versions), embeddings (embeddings_db.document_embeddings).
-- Used by: clients/drift.py

insert into embeddings_db.drift_samples
(
    sample_id, profile, is_current, doc_id, chunk_id, text_hash, character_count, token_count,
    model_name, model_version, chunking_strategy, embedding
)

with

states as (

    select
        false as is_current,
        ? as profile,
        ? as last_number

    union all

    select
        true as is_current,
        ? as profile,
        ? as last_number

),

latest as (

    select
        states.is_current,
        states.profile,
        states.last_number,
        versions.doc_id,
        max(versions.batch_number) as batch_number
    from embeddings_db.document_versions for version as of {{ versions }} as versions
    inner join states
        on
            versions.profile = states.profile
            and versions.batch_number <= states.last_number
    group by
        states.is_current,
        states.profile,
        states.last_number,
        versions.doc_id

),

chunks as (

    select distinct
        latest.is_current,
        latest.profile,
        latest.last_number,
        opened.chunk_id
    from embeddings_db.document_versions for version as of {{ versions }} as versions
    inner join latest
        on
            versions.profile = latest.profile
            and versions.doc_id = latest.doc_id
            and versions.batch_number = latest.batch_number
    cross join unnest(versions.chunk_ids) as opened (chunk_id)
    where not versions.is_deleted and opened.chunk_id < ?

),

batches as (

    select
        batch_id,
        batch_number,
        coalesce(state, '') = 'rejected' as is_rejected
    from embeddings_db.embedding_batches

),

embedded as (

    select
        chunks.is_current,
        embeddings.doc_id,
        embeddings.chunk_id,
        embeddings.text_hash,
        embeddings.chunk_text,
        embeddings.token_count,
        embeddings.model_name,
        embeddings.model_version,
        embeddings.chunking_strategy,
        embeddings.embedding,
        batches.batch_number
    from embeddings_db.document_embeddings for version as of {{ embeddings }} as embeddings
    inner join batches on embeddings.batch_id = batches.batch_id
    inner join chunks
        on
            embeddings.chunk_id = chunks.chunk_id
            and embeddings.profile = chunks.profile
    where
        embeddings.chunk_id < ?
        and batches.batch_number <= chunks.last_number
        and not batches.is_rejected
        and coalesce(embeddings.copied_from_batch, '') not in (select rejected.batch_id from batches as rejected where rejected.is_rejected)

),

newest as (

    select
        *,
        row_number() over (partition by is_current, chunk_id order by batch_number desc) as place
    from embedded

)

select
    ? as sample_id,
    ? as profile,
    is_current,
    doc_id,
    chunk_id,
    text_hash,
    length(chunk_text) as character_count,
    token_count,
    model_name,
    model_version,
    chunking_strategy,
    embedding
from newest
where place = 1
