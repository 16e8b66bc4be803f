-- What batches did to each document, and what is left of it: put their ids in place of the ones below.
-- A batch that was not published has one line without a document: its rows are on its branch only.
-- Grain:   one row per batch and document.
-- Used by: people

with

wanted as (

    select t.batch_id
    from (
        values
        ('20260131T120000-000000'),
        ('20260131T120000-111111')
    ) as t (batch_id)

),

touched as (

    select distinct
        profile,
        doc_id
    from embeddings_db.document_versions
    where batch_id in (select wanted.batch_id from wanted)

),

versions as (

    select
        versions.profile,
        versions.doc_id,
        versions.batch_id,
        versions.batch_number,
        versions.content_hash,
        versions.source_snapshot,
        cardinality(versions.chunk_ids) as chunk_count,
        versions.is_deleted,
        versions.restored_from,
        lag(versions.content_hash) over (partition by touched.profile, touched.doc_id order by versions.batch_number) as hash_before,
        lag(versions.is_deleted) over (partition by touched.profile, touched.doc_id order by versions.batch_number) as was_deleted_before,
        lead(versions.batch_id) over (partition by touched.profile, touched.doc_id order by versions.batch_number) as superseded_by
    from embeddings_db.document_versions as versions
    inner join touched
        on
            versions.profile = touched.profile
            and versions.doc_id = touched.doc_id

),

vectors as (

    select
        batch_id,
        doc_id,
        count(*) as written_count,
        count(copied_from_batch) as copied_count
    from embeddings_db.document_embeddings
    where batch_id in (select wanted.batch_id from wanted)
    group by
        batch_id,
        doc_id

)

select
    wanted.batch_id,
    batches.batch_number,
    batches.profile,
    coalesce(batches.kind, 'embed') as kind,
    batches.state,
    batches.message,
    batches.model_version,
    batches.source_snapshot as batch_source_snapshot,
    batches.dag_id,
    batches.run_id,
    batches.planned_at,
    batches.published_at,
    versions.doc_id,
    case
        when versions.is_deleted then 'deleted'
        when versions.restored_from is not null then 'restored'
        when versions.hash_before is null or versions.was_deleted_before then 'new'
        when versions.content_hash <> versions.hash_before then 'changed'
        when versions.content_hash = versions.hash_before then 'embedded again'
    end as change,
    versions.hash_before as content_hash_before,
    versions.content_hash,
    versions.source_snapshot,
    versions.restored_from,
    versions.chunk_count,
    coalesce(vectors.written_count, 0) as written_chunk_count,
    coalesce(vectors.copied_count, 0) as copied_chunk_count,
    versions.superseded_by is null and not versions.is_deleted as is_current,
    versions.superseded_by
from wanted
left join embeddings_db.embedding_batches as batches on wanted.batch_id = batches.batch_id
left join versions on wanted.batch_id = versions.batch_id
left join vectors
    on
        versions.batch_id = vectors.batch_id
        and versions.doc_id = vectors.doc_id
order by
    wanted.batch_id,
    versions.doc_id
