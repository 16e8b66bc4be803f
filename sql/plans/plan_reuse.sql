-- Which chunks of a batch need no embedding: their own row exists, or the same text has a vector elsewhere in the profile.
-- Vectors of rejected batches and copies of them are never used again.
-- Grain:   one row per chunk_id and batch; a second try finds the same again and adds it once more, which readers bear.
-- Binds:   1. batch_id, 2. model_version, 3. profile fingerprint, 4. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/planning.py

insert into embeddings_db.batch_reuse
(batch_id, chunk_id, text_hash, is_kept, source_batch, source_file)

with

planned as (

    select distinct
        chunk_id,
        text_hash
    from embeddings_db.batch_chunks
    where batch_id = ?

),

rejected as (

    select batch_id
    from embeddings_db.embedding_batches
    where state = 'rejected'

),

embedded as (

    select
        chunk_id,
        text_hash,
        batch_id,
        "$path" as source_file
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where
        model_version = ?
        and profile_fingerprint = ?
        and text_hash in (select planned.text_hash from planned)
        and batch_id not in (select rejected.batch_id from rejected)
        and coalesce(copied_from_batch, batch_id) not in (select rejected.batch_id from rejected)

),

kept as (

    select distinct chunk_id
    from embedded

),

texts as (

    select
        text_hash,
        max(batch_id) as source_batch,
        max_by(source_file, batch_id) as source_file
    from embedded
    group by text_hash

)

select
    ? as batch_id,
    planned.chunk_id,
    planned.text_hash,
    kept.chunk_id is not null as is_kept,
    texts.source_batch,
    texts.source_file
from planned
inner join texts on planned.text_hash = texts.text_hash
left join kept on planned.chunk_id = kept.chunk_id
