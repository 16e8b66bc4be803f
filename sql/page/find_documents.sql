-- Documents of the source whose id holds a text, an equal one first.
-- Grain:   one row per doc_id.
-- Binds:   1. the text, 2. the text, 3. number of rows.
-- Used by: page/reading.py

select
    doc_id,
    max(title) as title,
    max(updated_at) as updated_at
from docs_db.source_documents
where strpos(lower(doc_id), lower(?)) > 0
group by doc_id
order by
    if(doc_id = ?, 0, 1),
    doc_id
limit ?
