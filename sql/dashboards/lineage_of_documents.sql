-- Every version of documents that was ever published: put their ids in place of the ones below.
-- `text_statement` is the statement that reads the version's text as it was; its SHA-256 must be `content_hash`.
-- Grain:   one row per document, profile and version, in the order in which they became current.
-- Used by: people

with

wanted as (

    select t.doc_id
    from (
        values
        ('a document'),
        ('another document')
    ) as t (doc_id)

),

versions as (

    select
        profile,
        doc_id,
        batch_id,
        batch_number,
        content_hash,
        source_snapshot,
        cardinality(chunk_ids) as chunk_count,
        is_deleted,
        restored_from,
        recorded_at,
        lag(content_hash) over (partition by profile, doc_id order by batch_number) as content_hash_before,
        lag(is_deleted) over (partition by profile, doc_id order by batch_number) as was_deleted_before,
        lead(batch_number) over (partition by profile, doc_id order by batch_number) as next_batch_number
    from embeddings_db.document_versions
    where doc_id in (select wanted.doc_id from wanted)

),

vectors as (

    select
        profile,
        doc_id,
        batch_id,
        count(*) as written_count,
        count(copied_from_batch) as copied_count
    from embeddings_db.document_embeddings
    where doc_id in (select wanted.doc_id from wanted)
    group by
        profile,
        doc_id,
        batch_id

)

select
    wanted.doc_id,
    versions.profile,
    versions.batch_number,
    versions.batch_id,
    case
        when versions.is_deleted then 'deleted'
        when versions.restored_from is not null then 'restored'
        when versions.content_hash_before is null or versions.was_deleted_before then 'new'
        when versions.content_hash <> versions.content_hash_before then 'changed'
        when versions.content_hash = versions.content_hash_before then 'embedded again'
    end as change,
    versions.content_hash,
    versions.source_snapshot,
    versions.restored_from,
    versions.chunk_count,
    coalesce(vectors.written_count, 0) as written_chunk_count,
    coalesce(vectors.copied_count, 0) as copied_chunk_count,
    versions.next_batch_number is null and not versions.is_deleted as is_current,
    coalesce(batches.published_at, versions.recorded_at) as valid_from,
    coalesce(successors.published_at, successors.updated_at) as valid_until,
    batches.state as batch_state,
    batches.model_name,
    batches.model_version,
    batches.dag_id,
    batches.run_id,
    if(
        not versions.is_deleted,
        concat(
            'select document_text from docs_db.source_documents for version as of ',
            cast(versions.source_snapshot as varchar),
            ' where doc_id = ''',
            replace(versions.doc_id, '''', ''''''),
            ''' and coalesce(content_hash, '''') = ''',
            versions.content_hash,
            ''''
        )
    ) as text_statement
from wanted
left join versions on wanted.doc_id = versions.doc_id
left join vectors
    on
        versions.profile = vectors.profile
        and versions.doc_id = vectors.doc_id
        and versions.batch_id = vectors.batch_id
left join embeddings_db.embedding_batches as batches on versions.batch_id = batches.batch_id
left join embeddings_db.embedding_batches as successors on versions.next_batch_number = successors.batch_number
order by
    wanted.doc_id,
    versions.profile,
    versions.batch_number
