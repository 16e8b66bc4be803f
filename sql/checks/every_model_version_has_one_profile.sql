-- The batch's rows, and the other batches of its model version, are all of one profile with one fingerprint.
-- Why:     vectors made under different settings cannot be compared, and an index mixes whatever stands under one model version.
-- Grain:   one row per batch and other profile, fingerprint or model.
-- Binds:   1. batch_id, 2. profile, 3. fingerprint, 4. model_name, 5. model_version, 6. batch_id, 7. model_version, 8. profile,
--          9. fingerprint.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

with

stated as (

    select
        batch_id,
        profile,
        profile_fingerprint,
        model_name,
        model_version
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where
        batch_id = ?
        and array[profile, profile_fingerprint, model_name, model_version] <> array[?, ?, ?, ?]

    union all

    select
        batch_id,
        profile,
        profile_fingerprint,
        model_name,
        model_version
    from embeddings_db.embedding_batches
    where
        batch_id <> ?
        and state = 'published'
        and model_version = ?
        and array[profile, profile_fingerprint] <> array[?, ?]

)

select
    batch_id,
    profile,
    profile_fingerprint,
    model_name,
    model_version,
    count(*) as row_count
from stated
group by
    batch_id,
    profile,
    profile_fingerprint,
    model_name,
    model_version
