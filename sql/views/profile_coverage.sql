-- How much of the source each profile covers with its current version. A document that stands twice in the source counts once.
-- Grain:   one row per profile that ever published a batch.
-- Used by: people

create or replace view embeddings_db.profile_coverage as

with

profiles as (

    select distinct profile
    from embeddings_db.document_versions

),

documents as (

    select
        doc_id,
        max(coalesce(content_hash, '')) as content_hash
    from docs_db.source_documents
    group by doc_id

),

sources as (

    select
        profiles.profile,
        documents.doc_id,
        documents.content_hash
    from profiles
    cross join documents

),

compared as (

    select
        coalesce(sources.profile, embedded.profile) as profile,
        sources.content_hash as source_hash,
        embedded.content_hash as embedded_hash
    from sources
    full outer join embeddings_db.current_documents as embedded
        on
            sources.profile = embedded.profile
            and sources.doc_id = embedded.doc_id

)

select
    profile,
    count(source_hash) as source_count,
    count_if(source_hash = embedded_hash) as covered_count,
    count_if(source_hash <> embedded_hash) as outdated_count,
    count_if(source_hash is not null and embedded_hash is null) as missing_count,
    count_if(source_hash is null) as orphaned_count,
    if(count(source_hash) = 0, 1e0, count_if(source_hash = embedded_hash) * 1e0 / count(source_hash)) as covered_share
from compared
group by profile
