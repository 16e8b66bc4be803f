-- Put the chunks of a state into the sample: those whose id lies below a bound. The ids are hashes, so the share of a corpus that this takes
-- is drawn as if by lot, and the same chunks are drawn again from the next state. Each has its newest vector of a batch up to the state's last
-- one; vectors of rejected batches, and copies of them, are part of no state.
-- Grain:   one row per chunk_id.
-- Binds:   1. profile, 2. last batch number, 3. profile, 4. last batch number, 5. chunk_id to stop before, 6. profile,
--          7. chunk_id to stop before, 8. last batch number, 9. sample_id, 10. profile of the sample, 11. whether it is the current state.
-- Names:   versions (embeddings_db.document_versions), embeddings (embeddings_db.document_embeddings).
-- Used by: clients/drift.py

insert into embeddings_db.drift_samples
(
    sample_id, profile, is_current, doc_id, chunk_id, text_hash, character_count, token_count,
    model_name, model_version, chunking_strategy, embedding
)

with

latest as (

    select
        doc_id,
        max(batch_number) as batch_number
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ? and batch_number <= ?
    group by doc_id

),

versions as (

    select
        doc_id,
        batch_number,
        chunk_ids
    from embeddings_db.document_versions for version as of {{ versions }}
    where profile = ? and batch_number <= ? and not is_deleted

),

chunks as (

    select distinct opened.chunk_id
    from versions
    inner join latest
        on
            versions.doc_id = latest.doc_id
            and versions.batch_number = latest.batch_number
    cross join unnest(versions.chunk_ids) as opened (chunk_id)
    where opened.chunk_id < ?

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
    inner join chunks on embeddings.chunk_id = chunks.chunk_id
    where
        embeddings.profile = ?
        and embeddings.chunk_id < ?
        and batches.batch_number <= ?
        and not batches.is_rejected
        and coalesce(embeddings.copied_from_batch, '') not in (select rejected.batch_id from batches as rejected where rejected.is_rejected)

),

newest as (

    select
        *,
        row_number() over (partition by chunk_id order by batch_number desc) as place
    from embedded

)

select
    ? as sample_id,
    ? as profile,
    ? as is_current,
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
