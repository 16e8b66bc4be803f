-- The source snapshots that any version of these documents cites, under whatever profile.
-- Grain:   one row per source_snapshot.
-- Binds:   1. documents.
-- Used by: clients/holds.py

select distinct source_snapshot
from embeddings_db.document_versions
where
    doc_id in (?)
    and source_snapshot is not null
