-- Each verdict over the drift of a profile, with the main figures behind it.
-- Grain:   one row per monitor_id.
-- Used by: people

create or replace view embeddings_db.embedding_drift as

with

figures as (

    select
        monitor_id,
        max(if(measure = 'centroid_distance', drift)) as centroid_distance,
        max(if(measure = 'distance_to_centroid', drift)) as distance_stability_index,
        max(if(measure = 'projections', drift)) as projection_stability_index,
        max(if(measure = 'chunk_length', drift)) as chunk_length_stability_index,
        max(if(measure = 'near_duplicates', current_value)) as near_duplicate_share,
        max(if(measure = 'changed_documents', drift)) as changed_share,
        array_agg(measure order by measure) filter (where is_exceeded) as exceeded_measures
    from embeddings_db.drift_measures
    group by monitor_id

)

select
    verdicts.monitor_id,
    verdicts.profile,
    verdicts.measured_at,
    verdicts.is_drift,
    if(cardinality(verdicts.causes) > 0, verdicts.causes[1]) as cause,
    verdicts.causes,
    verdicts.verdict,
    verdicts.since_batch_id,
    verdicts.since_at,
    verdicts.accepted_reason,
    verdicts.baseline_kind,
    verdicts.baseline_id,
    verdicts.batch_id,
    verdicts.batch_number,
    verdicts.model_version,
    verdicts.document_count,
    verdicts.changed_document_count,
    figures.changed_share,
    verdicts.chunk_count,
    verdicts.sampled_chunk_count,
    figures.centroid_distance,
    figures.distance_stability_index,
    figures.projection_stability_index,
    figures.chunk_length_stability_index,
    figures.near_duplicate_share,
    verdicts.canary_cosine,
    verdicts.fidelity,
    verdicts.recall,
    figures.exceeded_measures
from embeddings_db.drift_verdicts as verdicts
left join figures on verdicts.monitor_id = figures.monitor_id
