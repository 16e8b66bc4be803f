-- Where records come from: put their ids, as an answer or a log has them, in place of the ones below.
-- `text_statement` is the statement that reads the document's text as it was; its SHA-256 must be `content_hash`.
-- Grain:   one row per record, profile and batch. The newest that is not rejected answers now.
-- Used by: people

with

wanted as (

    select t.record_id
    from (
        values
        ('0000000000000000000000000000000000000000000000000000000000000000'),
        ('1111111111111111111111111111111111111111111111111111111111111111')
    ) as t (record_id)

),

sources as (

    select
        doc_id,
        max(coalesce(content_hash, '')) as content_hash,
        max(title) as title,
        max(source_uri) as source_uri
    from docs_db.source_documents
    group by doc_id

)

select
    wanted.record_id,
    history.profile,
    history.doc_id,
    sources.title,
    sources.source_uri,
    history.content_hash,
    history.source_snapshot,
    history.chunk_index,
    history.start_offset,
    history.chunk_text,
    history.chunking_strategy,
    history.model_name,
    history.model_version,
    history.batch_id,
    history.batch_number,
    history.batch_state,
    history.copied_from_batch,
    history.dag_id,
    history.run_id,
    history.embedded_at,
    history.published_at,
    history.is_rejected,
    history.rejected_at,
    sources.content_hash as current_content_hash,
    sources.content_hash <> history.content_hash as is_changed,
    sources.doc_id is null as is_deleted,
    concat(
        'select document_text from docs_db.source_documents for version as of ',
        cast(history.source_snapshot as varchar),
        ' where doc_id = ''',
        replace(history.doc_id, '''', ''''''),
        ''' and coalesce(content_hash, '''') = ''',
        history.content_hash,
        ''''
    ) as text_statement
from wanted
left join embeddings_db.embedding_history as history on wanted.record_id = history.chunk_id
left join sources on history.doc_id = sources.doc_id
order by
    wanted.record_id,
    history.profile,
    history.batch_number
