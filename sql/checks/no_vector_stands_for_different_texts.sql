-- No two different texts have the same vector, within the batch and beside recent rows of its model version.
-- Why:     answers that came for other texts are found by nothing else. Texts that the model tokenises alike may share one.
--          Vectors are compared by a 64-bit checksum; of other batches by the newest, up to as many rows as the batch has, or 2,000.
-- Grain:   one row per vector that stands for several texts.
-- Binds:   1. batch_id, 2. batch_id, 3. model_version.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

with

ranked as (

    select
        others.batch_id,
        this.chunks_planned - this.chunks_kept as own_count,
        sum(others.chunks_planned - others.chunks_kept) over (order by others.batch_number desc) as row_count
    from embeddings_db.embedding_batches as others
    inner join embeddings_db.embedding_batches as this
        on others.model_version = this.model_version and others.batch_number < this.batch_number
    where this.batch_id = ? and others.state = 'published' and others.kind is null

),

compared as (

    select ? as batch_id

    union all

    select batch_id
    from ranked
    where row_count <= greatest(own_count, 2000)

),

hashed as (

    select
        batch_id,
        doc_id,
        text_hash,
        checksum(embedding) as vector_hash,
        min(substr(chunk_text, 1, 80)) as chunk_start
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where
        model_version = ?
        and batch_id in (select compared.batch_id from compared)
    group by
        batch_id,
        doc_id,
        text_hash

)

select
    to_hex(vector_hash) as vector_hash,
    count(distinct text_hash) as text_count,
    min_by(doc_id, text_hash) as doc_id,
    min_by(chunk_start, text_hash) as chunk_start,
    max_by(doc_id, text_hash) as other_doc_id,
    max_by(chunk_start, text_hash) as other_chunk_start
from hashed
group by vector_hash
having min(text_hash) <> max(text_hash)
