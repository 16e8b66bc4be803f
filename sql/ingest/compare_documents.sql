-- Compare what was read with the documents that exist: new, changed and removed ones, and rows whose id is used elsewhere.
-- An id belongs to the file that holds it already, as long as that file still has it; among new ones to the first by path and line.
-- Grain:   one row per document of the bucket that changes, and one per row that may not use its id.
-- Binds:   1. ingest_id, 2. ingest_id, 3. buckets, 4. bucket, 5. source, 6. buckets, 7. bucket, 8. ingest_id, 9. comparison_id.
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
        reason_code is null as is_good,
        from_big_endian_64(
            xxhash64(to_utf8(concat_ws(chr(31), content_hash, coalesce(title, ''), coalesce(media_type, ''), coalesce(metadata, ''))))
        ) as version
    from docs_db.staged_documents
    where ingest_id = ?

),

broken_files as (

    select distinct path
    from staged
    where line = 0 and not is_good

),

claims as (

    select
        staged.doc_id,
        staged.path,
        staged.line,
        staged.slice,
        staged.is_good,
        staged.version
    from staged
    left join broken_files on staged.path = broken_files.path
    where broken_files.path is null and mod(crc32(to_utf8(staged.doc_id)), ?) = ?

),

existing as (

    select
        documents.doc_id,
        documents.source_uri,
        files.path,
        -- A file that was not read, or could not be, keeps what it has.
        files.path is null or broken_files.path is not null as is_untouched,
        from_big_endian_64(
            xxhash64(
                to_utf8(
                    concat_ws(
                        chr(31),
                        documents.content_hash,
                        coalesce(documents.title, ''),
                        coalesce(documents.media_type, ''),
                        coalesce(documents.metadata, '')
                    )
                )
            )
        ) as version
    from docs_db.source_documents as documents
    left join files on documents.source_uri = concat(?, '/', files.path)
    left join broken_files on files.path = broken_files.path
    where mod(crc32(to_utf8(documents.doc_id)), ?) = ?

),

paired as (

    select
        coalesce(claims.doc_id, existing.doc_id) as doc_id,
        existing.source_uri,
        existing.path as known_path,
        existing.version as known_version,
        -- A row that is rejected now keeps its id, too.
        existing.is_untouched or claims.path = existing.path as is_held,
        claims.is_good and claims.path = existing.path as is_own,
        claims.is_good,
        cast(
            row(claims.path, claims.line, claims.slice, claims.version) as row(path varchar, line bigint, slice bigint, version bigint)
        ) as claim
    from existing
    full join claims on existing.doc_id = claims.doc_id
    where existing.path is not null or claims.doc_id is not null

),

gathered as (

    select
        doc_id,
        arbitrary(source_uri) as known_uri,
        arbitrary(known_path) as known_path,
        arbitrary(known_version) as known_version,
        coalesce(bool_or(is_held), false) as is_held,
        min(claim) filter (where is_own) as own_claim,
        min(claim) filter (where is_good) as first_claim,
        array_agg(claim) filter (where is_good) as claims
    from paired
    group by doc_id

),

decided as (

    select
        doc_id,
        known_uri,
        known_path,
        known_version,
        is_held,
        coalesce(claims, array[]) as claims,
        if(is_held, own_claim, first_claim) as winner
    from gathered

),

labelled as (

    select
        decided.doc_id,
        decided.claims,
        decided.winner,
        case
            when decided.winner is null then if(decided.known_uri is not null and not decided.is_held, 'removed')
            when decided.known_uri is null then 'new'
            when decided.winner.path <> decided.known_path or decided.winner.version <> decided.known_version then 'changed'
        end as change,
        case
            when decided.winner is null then decided.known_uri
            when decided.winner.line = 0 then decided.winner.path
            else concat(decided.winner.path, ' line ', cast(decided.winner.line as varchar))
        end as holder
    from decided

)

select
    ? as ingest_id,
    ? as comparison_id,
    labelled.doc_id,
    found.slice,
    found.path,
    found.line,
    found.change,
    found.other_place
from labelled
cross join unnest(
    concat(
        if(
            labelled.change is null,
            array[],
            array[
                row(coalesce(labelled.winner.slice, 0), labelled.winner.path, labelled.winner.line, labelled.change, cast(null as varchar))
            ]
        ),
        transform(
            filter(
                labelled.claims,
                claim -> labelled.winner is null or claim.path <> labelled.winner.path or claim.line <> labelled.winner.line
            ),
            claim -> row(claim.slice, claim.path, claim.line, 'duplicate', labelled.holder)
        )
    )
) as found (slice, path, line, change, other_place)
