-- Every vector of the batch has length 1 where its profile normalises, and elsewhere one like the others of its batch.
-- Why:     dot products compare vectors of one length only; a vector far out of line was scaled, cut or mixed up.
--          Elsewhere a norm is abnormal beyond a hundredth and a hundred times the batch's median. Zero and non-finite vectors have
--          checks of their own.
-- Grain:   one row per offending chunk.
-- Binds:   1. batch_id, 2. whether the profile normalises.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

with

measured as (

    select
        doc_id,
        chunk_id,
        sqrt(reduce(
            embedding,
            cast(0 as double),
            (total, element) -> total + cast(element as double) * cast(element as double),
            total -> total
        )) as norm
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where batch_id = ?

),

usable as (

    select
        doc_id,
        chunk_id,
        norm
    from measured
    where is_finite(norm) and norm > 0

),

middle as (

    select
        ? as is_normalised,
        approx_percentile(norm, 0.5) as median_norm
    from usable

),

expected as (

    select
        if(is_normalised, 0.99, median_norm / 100) as least_norm,
        if(is_normalised, 1.01, median_norm * 100) as most_norm
    from middle

)

select
    usable.doc_id,
    usable.chunk_id,
    usable.norm,
    expected.least_norm,
    expected.most_norm
from usable
inner join expected on usable.norm < expected.least_norm or usable.norm > expected.most_norm
