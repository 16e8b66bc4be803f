-- Bring rejected_documents up to date for the files of an ingestion: what is rejected now, and no longer what is good or gone.
-- Grain:   one row per rejected document and file of the bucket.
-- Binds:   1. source, 2. ingest_id, 3. buckets, 4. bucket, 5. ingest_id, 6. ingest_id, 7. comparison_id, 8. when, 9. when, 10. when.
-- Used by: steps/ingest_documents/merging.py

merge into docs_db.rejected_documents as known
using (

    with

    files as (

        select
            path,
            concat(?, '/', path) as source_uri
        from docs_db.ingest_files
        where ingest_id = ? and mod(crc32(to_utf8(path)), ?) = ?

    ),

    findings as (

        select
            path,
            doc_id,
            line,
            reason_code,
            reason
        from docs_db.staged_documents
        where ingest_id = ? and reason_code is not null

        union all

        select
            path,
            doc_id,
            line,
            'duplicate_id' as reason_code,
            concat(
                if(line > 0, concat('line ', cast(line as varchar), ': '), ''),
                'the id is used already by ', other_place, ': give one of the two another id, or the source an id_prefix'
            ) as reason
        from docs_db.ingest_changes
        where ingest_id = ? and comparison_id = ? and change = 'duplicate'

    ),

    rejected as (

        select
            files.source_uri,
            findings.doc_id,
            min(findings.line) as line,
            min_by(findings.reason_code, findings.line) as reason_code,
            min_by(findings.reason, findings.line) as reason
        from findings
        inner join files on findings.path = files.path
        group by files.source_uri, findings.doc_id

    ),

    earlier as (

        select
            rejected.source_uri,
            rejected.doc_id
        from docs_db.rejected_documents as rejected
        inner join files on rejected.source_uri = files.source_uri

    )

    select
        coalesce(rejected.source_uri, earlier.source_uri) as source_uri,
        coalesce(rejected.doc_id, earlier.doc_id) as doc_id,
        rejected.doc_id is not null as is_rejected,
        rejected.line,
        rejected.reason_code,
        rejected.reason,
        rejected.reason_code <> 'duplicate_id'
        and (documents.doc_id is not null or (rejected.line = 0 and coalesce(held.document_count, 0) > 0)) as keeps_older_version
    from rejected
    full join earlier on rejected.source_uri = earlier.source_uri and rejected.doc_id = earlier.doc_id
    left join docs_db.source_files as held on rejected.source_uri = held.source_uri
    left join docs_db.source_documents as documents
        on rejected.doc_id = documents.doc_id and rejected.source_uri = documents.source_uri

) as found
    on known.source_uri = found.source_uri and known.doc_id = found.doc_id
when matched and not found.is_rejected then
    delete
when matched then
    update set
        line = found.line,
        reason_code = found.reason_code,
        reason = found.reason,
        keeps_older_version = found.keeps_older_version,
        last_rejected_at = cast(? as timestamp(6) with time zone)
when not matched and found.is_rejected then
    insert (doc_id, source_uri, line, reason_code, reason, keeps_older_version, first_rejected_at, last_rejected_at)
    values (
        found.doc_id, found.source_uri, found.line, found.reason_code, found.reason, found.keeps_older_version,
        cast(? as timestamp(6) with time zone), cast(? as timestamp(6) with time zone)
    )
