-- Bring rejected_documents up to date for the files of an ingestion: what is rejected now, and no longer what is good or gone.
-- Grain:   one row per rejected document and file.
-- Binds:   1. source, 2. ingest_id, 3. ingest_id, 4. ingest_id, 5. comparison_id, 6. when, 7. when, 8. when.
-- Used by: steps/ingest_documents/merging.py

merge into docs_db.rejected_documents as known
using (

    with

    files as (

        select
            path,
            concat(?, '/', path) as source_uri
        from docs_db.ingest_files
        where ingest_id = ?

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

    broken_files as (

        select distinct path
        from findings
        where line = 0 and reason_code <> 'duplicate_id'

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
        left join broken_files on findings.path = broken_files.path
        -- The rows of a file that is rejected as a whole are not told apart.
        where broken_files.path is null or findings.line = 0
        group by files.source_uri, findings.doc_id

    ),

    held_files as (

        select distinct source_uri
        from docs_db.source_documents
        where source_uri in (select rejected.source_uri from rejected where rejected.line = 0)

    )

    select
        rejected.source_uri,
        rejected.doc_id,
        rejected.line,
        rejected.reason_code,
        rejected.reason,
        rejected.reason_code <> 'duplicate_id' and (documents.doc_id is not null or held_files.source_uri is not null)
            as keeps_older_version,
        true as is_rejected
    from rejected
    left join docs_db.source_documents as documents
        on rejected.doc_id = documents.doc_id and rejected.source_uri = documents.source_uri
    left join held_files on rejected.source_uri = held_files.source_uri

    union all

    select
        earlier.source_uri,
        earlier.doc_id,
        earlier.line,
        earlier.reason_code,
        earlier.reason,
        earlier.keeps_older_version,
        false as is_rejected
    from docs_db.rejected_documents as earlier
    inner join files on earlier.source_uri = files.source_uri
    left join rejected on earlier.source_uri = rejected.source_uri and earlier.doc_id = rejected.doc_id
    where rejected.doc_id is null

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
