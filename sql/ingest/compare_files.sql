-- The listed files that must be read, and the known ones that vanished.
-- A file waits where another one holds an id that it has: it is read again as soon as any other file changes.
-- Grain:   one row per file of the bucket that is not unchanged: new, changed, again (rejected before), waiting or vanished.
-- Binds:   1. ingest_id, 2. buckets, 3. bucket, 4. source, 5. buckets, 6. bucket, 7. reader, 8. reader, 9. limits, 10. reader.
-- Used by: steps/ingest_documents/listing.py

with

stated as (

    select
        path,
        true as is_listed,
        size_bytes,
        modified_at,
        etag,
        problem,
        cast(null as varchar) as known_version,
        cast(null as varchar) as known_reader,
        cast(null as bigint) as document_count
    from docs_db.listed_files
    where ingest_id = ? and mod(crc32(to_utf8(path)), ?) = ?

    union all

    select
        path,
        false as is_listed,
        null as size_bytes,
        null as modified_at,
        null as etag,
        null as problem,
        concat_ws('|', cast(size_bytes as varchar), cast(to_unixtime(modified_at) as varchar), etag) as known_version,
        reader as known_reader,
        document_count
    from docs_db.source_files
    where source = ? and mod(crc32(to_utf8(path)), ?) = ?

),

paired as (

    select
        path,
        bool_or(is_listed) as is_listed,
        max(size_bytes) as size_bytes,
        max(modified_at) as modified_at,
        max(etag) as etag,
        max(problem) as problem,
        max(known_version) as known_version,
        max(known_reader) as known_reader,
        max(document_count) as document_count
    from stated
    group by path

),

compared as (

    select
        path,
        size_bytes,
        modified_at,
        etag,
        problem,
        document_count,
        case
            when not is_listed then 'vanished'
            when known_version is null then 'new'
            when known_version <> concat_ws('|', cast(size_bytes as varchar), cast(to_unixtime(modified_at) as varchar), etag)
                then 'changed'
            when known_reader in (?, concat(?, '|', ?)) then 'unchanged'
            when known_reader = concat(?, '|duplicate_id') then 'waiting'
            else 'again'
        end as change
    from paired

)

select
    path,
    size_bytes,
    modified_at,
    etag,
    problem,
    change,
    coalesce(document_count, 0) as document_count
from compared
where change <> 'unchanged'
