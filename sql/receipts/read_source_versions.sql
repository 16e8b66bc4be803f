-- The versions that the source table holds of documents now, without their texts.
-- Grain:   one row per doc_id; of two source rows of a document the greater hash counts.
-- Binds:   1. documents as a JSON list.
-- Used by: receipts.py

select
    doc_id,
    max(coalesce(content_hash, '')) as content_hash,
    max(title) as title,
    max(source_uri) as source_uri
from docs_db.source_documents
where doc_id in (select t.doc_id from unnest(cast(json_parse(?) as array(varchar))) as t (doc_id))
group by doc_id
