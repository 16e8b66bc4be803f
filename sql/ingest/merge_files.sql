-- Register the files of an ingestion as read, each with what it was read with, and forget the vanished ones.
-- Run last: until then a file counts as not read, and a run that was killed reads it again.
-- Grain:   one row per file of the bucket.
-- Binds:   1. source, 2. ingest_id, 3. buckets, 4. bucket, 5. reader, 6. reader, 7. limits, 8. reader, 9. reader, 10. source, 11. when,
--          12. ingest_id, 13. source, 14. when, 15. ingest_id.
-- Used by: steps/ingest_documents/merging.py

merge into docs_db.source_files as known
using (

    with

    files as (

        select
            concat(?, '/', path) as source_uri,
            path,
            size_bytes,
            modified_at,
            etag,
            change = 'vanished' as is_vanished
        from docs_db.ingest_files
        where ingest_id = ? and mod(crc32(to_utf8(path)), ?) = ?

    ),

    documents as (

        select
            files.source_uri,
            count(*) as document_count
        from docs_db.source_documents as source
        inner join files on source.source_uri = files.source_uri
        group by files.source_uri

    ),

    rejections as (

        select
            files.source_uri,
            count(*) as rejection_count,
            bool_or(rejected.reason_code = 'unreadable') as is_unreadable,
            bool_or(rejected.reason_code in ('too_large', 'too_slow')) as is_over_limit,
            bool_or(rejected.reason_code = 'duplicate_id') as is_duplicate
        from docs_db.rejected_documents as rejected
        inner join files on rejected.source_uri = files.source_uri
        group by files.source_uri

    )

    select
        files.source_uri,
        files.path,
        files.size_bytes,
        files.modified_at,
        files.etag,
        files.is_vanished,
        coalesce(documents.document_count, 0) as document_count,
        coalesce(rejections.rejection_count, 0) as rejection_count,
        case
            when rejections.is_unreadable then concat(?, '|unreadable')
            when rejections.is_over_limit then concat(?, '|', ?)
            when rejections.is_duplicate then concat(?, '|duplicate_id')
            else ?
        end as reader
    from files
    left join documents on files.source_uri = documents.source_uri
    left join rejections on files.source_uri = rejections.source_uri

) as found
    on known.source_uri = found.source_uri and known.source = ?
when matched and found.is_vanished then
    delete
when matched then
    update set
        size_bytes = found.size_bytes,
        modified_at = found.modified_at,
        etag = found.etag,
        reader = found.reader,
        document_count = found.document_count,
        rejection_count = found.rejection_count,
        read_at = cast(? as timestamp(6) with time zone),
        ingest_id = ?
when not matched and not found.is_vanished then
    insert (source, source_uri, path, size_bytes, modified_at, etag, reader, document_count, rejection_count, read_at, ingest_id)
    values (
        ?, found.source_uri, found.path, found.size_bytes, found.modified_at, found.etag, found.reader, found.document_count,
        found.rejection_count, cast(? as timestamp(6) with time zone), ?
    )
