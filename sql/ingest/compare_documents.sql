-- Compare what was read with the documents that exist: new, changed and removed ones, and rows whose id is used elsewhere.
-- An id belongs to the file that holds it already, as long as that file still has it; among new ones to the first by path and line.
-- Grain:   one row per document that changes, and one per id and file that may not use it.
-- Binds:   1. ingest_id, 2. ingest_id, 3. source, 4. ingest_id, 5. comparison_id, 6. ingest_id, 7. comparison_id.
-- Used by: steps/ingest_documents/comparing.py

insert into docs_db.ingest_changes (ingest_id, comparison_id, doc_id, slice, path, line, change, other_place)

with

files as (

    select
        path,
        change = 'vanished' as is_vanished
    from docs_db.ingest_files
    where ingest_id = ?

),

staged as (

    select
        doc_id,
        path,
        line,
        slice,
        reason_code is not null as is_rejected,
        xxhash64(
            to_utf8(concat_ws(chr(31), content_hash, coalesce(title, ''), coalesce(media_type, ''), coalesce(metadata, '')))
        ) as version
    from docs_db.staged_documents
    where ingest_id = ?

),

broken_files as (

    select distinct path
    from staged
    where line = 0 and is_rejected

),

claims as (

    select
        staged.doc_id,
        staged.path,
        min(staged.line) filter (where not staged.is_rejected) as line,
        min_by(staged.slice, staged.line) filter (where not staged.is_rejected) as slice,
        min_by(staged.version, staged.line) filter (where not staged.is_rejected) as version,
        max(staged.line) filter (where not staged.is_rejected) as last_line
    from staged
    left join broken_files on staged.path = broken_files.path
    where broken_files.path is null
    group by staged.doc_id, staged.path

),

first_claims as (

    select
        doc_id,
        min(path) as path
    from claims
    where line is not null
    group by doc_id

),

existing as (

    select
        documents.doc_id,
        documents.source_uri,
        files.path,
        claims.line is not null as has_good_claim,
        -- A file that was not read, could not be read, or has the id in a row that is rejected, keeps what it has.
        files.path is null or (not files.is_vanished and (broken_files.path is not null or claims.doc_id is not null)) as is_held,
        xxhash64(
            to_utf8(
                concat_ws(
                    chr(31), documents.content_hash, coalesce(documents.title, ''), coalesce(documents.media_type, ''),
                    coalesce(documents.metadata, '')
                )
            )
        ) as version
    from docs_db.source_documents as documents
    left join files on documents.source_uri = concat(?, '/', files.path)
    left join broken_files on files.path = broken_files.path
    left join claims on documents.doc_id = claims.doc_id and files.path = claims.path

),

decided as (

    select
        coalesce(existing.doc_id, first_claims.doc_id) as doc_id,
        existing.doc_id is not null as is_known,
        existing.is_held,
        existing.path as known_path,
        existing.source_uri as known_uri,
        existing.version as known_version,
        case when existing.is_held then if(existing.has_good_claim, existing.path) else first_claims.path end as path
    from existing
    full join first_claims on existing.doc_id = first_claims.doc_id
    where existing.path is not null or first_claims.doc_id is not null

)

select
    ? as ingest_id,
    ? as comparison_id,
    decided.doc_id,
    coalesce(claims.slice, 0) as slice,
    decided.path,
    claims.line,
    case when decided.path is null then 'removed' when decided.is_known then 'changed' else 'new' end as change,
    cast(null as varchar) as other_place
from decided
left join claims on decided.doc_id = claims.doc_id and decided.path = claims.path
where
    not decided.is_known
    or (decided.path is null and not decided.is_held)
    or (decided.path is not null and (decided.path is distinct from decided.known_path or claims.version <> decided.known_version))

union all

select
    ? as ingest_id,
    ? as comparison_id,
    claims.doc_id,
    claims.slice,
    claims.path,
    if(claims.path = decided.path, claims.last_line, claims.line) as line,
    'duplicate' as change,
    case
        when claims.path = decided.path then concat(claims.path, ' line ', cast(claims.line as varchar))
        when decided.path is null then decided.known_uri
        else concat(decided.path, if(winners.line > 0, concat(' line ', cast(winners.line as varchar)), ''))
    end as other_place
from claims
inner join decided on claims.doc_id = decided.doc_id
left join claims as winners on decided.doc_id = winners.doc_id and decided.path = winners.path
where claims.line is not null and (decided.path is null or claims.path <> decided.path or claims.last_line > claims.line)
