-- What stood behind records when answers were given: put the records' ids and the times of the answers in place of the ones below.
-- Every version of the record's document has its period, from when it was published to when the next one was; versions of batches that
-- were rejected later too, since they were behind the answers of their time. `is_answer` marks the period in which the answer was given.
-- Grain:   one row per record, time of an answer, profile and version of the document.
-- Used by: people

with

answers as (

    select
        t.record_id,
        t.answered_at
    from (
        values
        ('0000000000000000000000000000000000000000000000000000000000000000', timestamp '2026-01-31 12:00:00 UTC'),
        ('1111111111111111111111111111111111111111111111111111111111111111', timestamp '2026-01-31 12:00:00 UTC')
    ) as t (record_id, answered_at)

),

records as (

    select distinct
        chunk_id,
        profile,
        doc_id
    from embeddings_db.embedding_history
    where chunk_id in (select answers.record_id from answers)

),

periods as (

    select
        records.chunk_id,
        versions.profile,
        versions.doc_id,
        versions.batch_number,
        versions.batch_id,
        versions.content_hash,
        versions.source_snapshot,
        versions.is_deleted,
        not versions.is_deleted and contains(versions.chunk_ids, records.chunk_id) as has_record,
        batches.state as batch_state,
        coalesce(batches.published_at, versions.recorded_at) as valid_from,
        lead(coalesce(batches.published_at, versions.recorded_at)) over (
            partition by records.chunk_id, versions.profile
            order by versions.batch_number
        ) as valid_until
    from embeddings_db.document_versions as versions
    inner join records
        on
            versions.profile = records.profile
            and versions.doc_id = records.doc_id
    left join embeddings_db.embedding_batches as batches on versions.batch_id = batches.batch_id

),

vectors as (

    select
        periods.chunk_id,
        periods.profile,
        periods.batch_number,
        max_by(history.batch_id, history.batch_number) as vector_batch_id,
        max_by(history.content_hash, history.batch_number) as vector_content_hash,
        max_by(history.source_snapshot, history.batch_number) as vector_source_snapshot,
        max_by(history.model_version, history.batch_number) as model_version,
        max_by(history.is_rejected, history.batch_number) as is_rejected,
        max_by(history.rejected_at, history.batch_number) as rejected_at
    from periods
    inner join embeddings_db.embedding_history as history
        on
            periods.chunk_id = history.chunk_id
            and periods.profile = history.profile
            and periods.batch_number >= history.batch_number
            and (history.rejected_at is null or periods.valid_from < history.rejected_at)
    group by
        periods.chunk_id,
        periods.profile,
        periods.batch_number

)

select
    answers.record_id,
    answers.answered_at,
    periods.profile,
    periods.doc_id,
    periods.valid_from,
    periods.valid_until,
    answers.answered_at >= periods.valid_from
    and (periods.valid_until is null or answers.answered_at < periods.valid_until) as is_answer,
    periods.content_hash,
    periods.source_snapshot,
    periods.is_deleted,
    periods.has_record,
    periods.batch_id,
    periods.batch_state,
    vectors.vector_batch_id,
    vectors.vector_content_hash,
    vectors.vector_source_snapshot,
    vectors.model_version,
    vectors.is_rejected,
    vectors.rejected_at
from answers
left join periods on answers.record_id = periods.chunk_id
left join vectors
    on
        periods.chunk_id = vectors.chunk_id
        and periods.profile = vectors.profile
        and periods.batch_number = vectors.batch_number
order by
    answers.record_id,
    answers.answered_at,
    periods.profile,
    periods.batch_number
