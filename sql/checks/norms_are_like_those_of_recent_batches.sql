-- The mean length of the batch's vectors is like that of the profile's last ten published batches.
-- Why:     a model that answers vectors of another length is another model, whatever its version says.
--          Their lengths are read from what this check recorded of them, so that no vector of theirs is read again.
-- Grain:   one row: by how many times the lengths differ (null for a first batch), and both lengths.
-- Binds:   1. batch_id, 2. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

with

measured as (

    select
        sqrt(reduce(
            embedding,
            cast(0 as double),
            (total, element) -> total + cast(element as double) * cast(element as double),
            total -> total
        )) as norm
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where batch_id = ?

),

own as (

    select avg(norm) as mean_norm
    from measured
    where is_finite(norm)

),

recent as (

    select others.batch_id
    from embeddings_db.embedding_batches as others
    inner join embeddings_db.embedding_batches as this
        on others.profile_fingerprint = this.profile_fingerprint and others.batch_number < this.batch_number
    where this.batch_id = ? and others.state = 'published'
    order by others.batch_number desc
    limit 10

),

recorded as (

    select
        batch_id,
        max_by(cast(json_extract_scalar(sample, '$[0].mean_norm') as double), checked_at) as mean_norm
    from embeddings_db.quality_results
    where
        check_name = 'norms_are_like_those_of_recent_batches'
        and batch_id in (select recent.batch_id from recent)
    group by batch_id

),

compared as (

    select
        own.mean_norm,
        avg(recorded.mean_norm) as recent_mean_norm
    from own
    left join recorded on recorded.mean_norm > 0
    group by own.mean_norm

)

select
    if(mean_norm > 0, greatest(mean_norm / recent_mean_norm, recent_mean_norm / mean_norm)) as times_apart,
    mean_norm,
    recent_mean_norm
from compared
