-- Bring one range of slices into source_documents: add new documents, update changed ones, delete removed ones (they are slice 0).
-- Running it twice, or two at once, changes nothing more: a row that is right already is left alone.
-- Grain:   one row per changed document.
-- Binds:   1. source, 2. when, 3. ingest_id, 4. first slice, 5. last slice, 6. ingest_id, 7. comparison_id, 8. first slice, 9. last slice.
-- Used by: steps/ingest_documents/merging.py

merge into docs_db.source_documents as documents
using (

    select
        changes.doc_id,
        changes.change = 'removed' as is_removed,
        staged.document_text,
        staged.content_hash,
        staged.title,
        concat(?, '/', changes.path) as source_uri,
        staged.media_type,
        staged.metadata,
        cast(? as timestamp(6) with time zone) as updated_at
    from docs_db.ingest_changes as changes
    left join docs_db.staged_documents as staged
        on
            changes.doc_id = staged.doc_id
            and changes.slice = staged.slice
            and changes.path = staged.path
            and changes.line = staged.line
            and staged.ingest_id = ?
            and staged.slice between ? and ?
            and staged.reason_code is null
    where
        changes.ingest_id = ?
        and changes.comparison_id = ?
        and changes.slice between ? and ?
        and (changes.change = 'removed' or (changes.change in ('new', 'changed') and staged.doc_id is not null))

) as merged
    on documents.doc_id = merged.doc_id
when matched and merged.is_removed then
    delete
when matched and row(
    documents.content_hash, documents.title, documents.source_uri, documents.media_type, documents.metadata
) is distinct from row(merged.content_hash, merged.title, merged.source_uri, merged.media_type, merged.metadata) then
    update set
        document_text = merged.document_text,
        content_hash = merged.content_hash,
        title = merged.title,
        source_uri = merged.source_uri,
        media_type = merged.media_type,
        metadata = merged.metadata,
        updated_at = if(documents.content_hash = merged.content_hash, documents.updated_at, merged.updated_at)
when not matched and not merged.is_removed then
    insert (doc_id, document_text, content_hash, title, source_uri, media_type, metadata, updated_at)
    values (
        merged.doc_id, merged.document_text, merged.content_hash, merged.title, merged.source_uri, merged.media_type, merged.metadata,
        merged.updated_at
    )
