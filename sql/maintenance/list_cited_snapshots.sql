-- The source snapshots that alone hold the text of a current version: those whose text the source holds now need no older snapshot.
-- Grain:   one row per source_snapshot.
-- Names:   versions_snapshot (embeddings_db.document_versions), source_snapshot (docs_db.source_documents).
-- Used by: clients/keeping.py

with

current_versions as (

    select
        doc_id,
        profile,
        max_by(content_hash, batch_number) as content_hash,
        max_by(source_snapshot, batch_number) as source_snapshot
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    group by
        doc_id,
        profile
    having max_by(is_deleted, batch_number) = false

),

texts as (

    select distinct
        doc_id,
        content_hash
    from docs_db.source_documents for version as of {{ source_snapshot }}

)

select distinct current_versions.source_snapshot
from current_versions
left join texts on current_versions.doc_id = texts.doc_id and current_versions.content_hash = texts.content_hash
where
    texts.doc_id is null
    and current_versions.source_snapshot is not null
