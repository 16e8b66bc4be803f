-- Everything that the journal says of a batch.
-- Grain:   one row, none for an unknown batch.
-- Binds:   1. batch_id.
-- Used by: page/reading.py

select
    batch_id,
    batch_number,
    profile,
    coalesce(kind, 'embed') as kind,
    state,
    model_name,
    model_version,
    profile_fingerprint,
    source_snapshot,
    embeddings_snapshot,
    versions_snapshot,
    documents_new,
    documents_changed,
    documents_deleted,
    documents_remaining,
    chunks_planned,
    chunks_kept,
    chunks_copied,
    chunks_embedded,
    texts_embedded,
    tokens_estimated,
    price_estimated,
    seconds_estimated,
    requests,
    tokens_embedded,
    price,
    price_saved,
    cast(approval_reasons as json) as approval_reasons,
    approved_by,
    dag_id,
    run_id,
    planned_at,
    updated_at,
    published_at,
    message,
    cast(undone_batches as json) as undone_batches
from embeddings_db.embedding_batches
where batch_id = ?
