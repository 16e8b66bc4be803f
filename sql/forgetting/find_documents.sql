-- The documents that a filter means, as the source, the ledger and the rejections know them now. An empty bind is no condition.
-- A place or a field of the metadata is known of documents in the source alone, a place also of rejected ones.
-- Grain:   one row per doc_id.
-- Binds:   1. name of a metadata field, 2. and 3. what the id begins with, 4. and 5. what the place begins with,
--          6. the name of the field again, 7. its value, 8. most documents.
-- Used by: clients/forgetting/selection.py

with

known as (

    select
        doc_id,
        source_uri,
        metadata
    from docs_db.source_documents

    union all

    select
        doc_id,
        source_uri,
        null as metadata
    from docs_db.rejected_documents

    union all

    select
        doc_id,
        null as source_uri,
        null as metadata
    from embeddings_db.document_versions

),

fields as (

    select
        doc_id,
        source_uri,
        element_at(try(cast(json_parse(metadata) as map (varchar, json))), ?) as field
    from known

)

select distinct doc_id
from fields
where
    doc_id is not null
    and (? = '' or starts_with(doc_id, ?))
    and (? = '' or starts_with(source_uri, ?))
    and (? = '' or coalesce(json_extract_scalar(field, '$'), json_format(field)) = ?)
order by doc_id
limit ?
