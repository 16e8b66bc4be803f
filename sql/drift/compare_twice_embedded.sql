-- How far the vectors agree of texts that were embedded twice: once since the baseline, and once in an earlier batch, or under the
-- baseline's profile where that is another one. Copied vectors and those of rejected batches aside. The same model gives the same text the
-- same vector.
-- Grain:   one row; null where no text was embedded twice.
-- Binds:   1. profile, 2. batch number from which the newer rows are later, 3. last batch number, 4. text_hash to stop before,
--          5. profile of the baseline, 6. last batch number of the older rows, 7. text_hash to stop before.
-- Names:   embeddings (embeddings_db.document_embeddings).
-- Used by: clients/drift.py

with

batches as (

    select
        batch_id,
        batch_number
    from embeddings_db.embedding_batches
    where coalesce(state, '') <> 'rejected'

),

newer as (

    select
        embeddings.text_hash,
        embeddings.profile,
        embeddings.embedding,
        batches.batch_number
    from embeddings_db.document_embeddings for version as of {{ embeddings }} as embeddings
    inner join batches on embeddings.batch_id = batches.batch_id
    where
        embeddings.profile = ?
        and batches.batch_number > ?
        and batches.batch_number <= ?
        and embeddings.text_hash < ?
        and embeddings.copied_from_batch is null

),

older as (

    select
        embeddings.text_hash,
        embeddings.profile,
        embeddings.embedding,
        batches.batch_number
    from embeddings_db.document_embeddings for version as of {{ embeddings }} as embeddings
    inner join batches on embeddings.batch_id = batches.batch_id
    where
        embeddings.profile = ?
        and batches.batch_number <= ?
        and embeddings.text_hash < ?
        and embeddings.copied_from_batch is null

),

compared as (

    select
        older.text_hash,
        min(cosine_similarity(cast(older.embedding as array(double)), cast(newer.embedding as array(double)))) as cosine
    from older
    inner join newer on older.text_hash = newer.text_hash
    where
        (older.profile <> newer.profile or older.batch_number < newer.batch_number)
        and cardinality(older.embedding) = cardinality(newer.embedding)
    group by older.text_hash

)

select
    count(*) as text_count,
    avg(cosine) as mean_cosine,
    min(cosine) as least_cosine
from compared
