-- The sources that were ingested, with the documents and files that come from each.
-- Grain:   one row per source.
-- Used by: steps/ingest_documents/listing.py, steps/ingest_documents/comparing.py

select
    source,
    sum(document_count) as document_count,
    count(*) as file_count
from docs_db.source_files
group by source
