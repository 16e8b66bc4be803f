-- Batches of a profile, the newest first, each with how many checks held, warned, failed or were accepted when it was last audited.
-- Grain:   one row per batch.
-- Binds:   1. profile, 2. profile, 3. the batch number below which they are, 4. number of rows.
-- Used by: page/reading.py

with

audited as (

    select
        batch_id,
        check_name,
        max_by(verdict, checked_at) as verdict
    from embeddings_db.quality_results
    where profile = ?
    group by
        batch_id,
        check_name

),

verdicts as (

    select
        batch_id,
        count_if(verdict = 'passed') as passed_count,
        count_if(verdict = 'warned') as warned_count,
        count_if(verdict = 'failed') as failed_count,
        count_if(verdict = 'accepted') as accepted_count
    from audited
    group by batch_id

)

select
    batches.batch_id,
    batches.batch_number,
    coalesce(batches.kind, 'embed') as kind,
    batches.state,
    batches.documents_new,
    batches.documents_changed,
    batches.documents_deleted,
    batches.documents_remaining,
    batches.chunks_planned,
    batches.chunks_kept,
    batches.chunks_copied,
    batches.chunks_embedded,
    coalesce(batches.tokens_embedded, batches.tokens_estimated) as tokens,
    coalesce(batches.price, batches.price_estimated) as price,
    batches.dag_id,
    batches.run_id,
    batches.planned_at,
    batches.updated_at,
    batches.published_at,
    batches.message,
    coalesce(verdicts.passed_count, 0) as passed_count,
    coalesce(verdicts.warned_count, 0) as warned_count,
    coalesce(verdicts.failed_count, 0) as failed_count,
    coalesce(verdicts.accepted_count, 0) as accepted_count
from embeddings_db.embedding_batches as batches
left join verdicts on batches.batch_id = verdicts.batch_id
where
    batches.profile = ?
    and batches.batch_number < ?
order by batches.batch_number desc
limit ?
