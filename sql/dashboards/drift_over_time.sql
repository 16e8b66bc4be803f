-- What each measurement concluded: whether retrieval drifted, since when, for which cause, and which measures were beyond their threshold.
-- Grain:   one row per measurement and profile, the newest first.
-- Used by: people

with

exceeded as (

    select
        monitor_id,
        profile,
        array_join(array_agg(measure order by measure), ', ') as exceeded_measures
    from embeddings_db.drift_measures
    where is_exceeded
    group by
        monitor_id,
        profile

)

select
    verdicts.measured_at,
    verdicts.profile,
    verdicts.model_version,
    verdicts.is_drift,
    array_join(verdicts.causes, ', ') as causes,
    verdicts.verdict,
    exceeded.exceeded_measures,
    verdicts.baseline_kind,
    verdicts.baseline_id,
    verdicts.batch_id,
    verdicts.batch_number,
    verdicts.since_batch_id,
    verdicts.since_at,
    verdicts.document_count,
    verdicts.changed_document_count,
    verdicts.chunk_count,
    verdicts.sampled_chunk_count,
    verdicts.canary_cosine,
    verdicts.fidelity,
    verdicts.recall,
    verdicts.monitor_id,
    verdicts.dag_id,
    verdicts.run_id
from embeddings_db.drift_verdicts as verdicts
left join exceeded
    on
        verdicts.monitor_id = exceeded.monitor_id
        and verdicts.profile = exceeded.profile
order by
    verdicts.measured_at desc,
    verdicts.profile asc
