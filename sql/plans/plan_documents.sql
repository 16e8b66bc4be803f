-- Put the next documents to embed, with their texts, into a batch's plan, spread over shards.
-- The source stands on the left of the join: the right side is what is held in memory, and by it texts that nobody needs are passed over.
-- Grain:   one row per doc_id and batch; of two source rows of a document the greater hash counts, with equal hashes both are rows.
-- Binds:   1. forgotten documents, 2. profile, 3. forgotten documents, 4. most documents in the batch, 5. batch_id,
--          6. number of shards.
-- Names:   source_snapshot (docs_db.source_documents), versions_snapshot (embeddings_db.document_versions).
-- Used by: steps/embed_documents/planning.py

insert into embeddings_db.batch_documents
(batch_id, shard, doc_id, change, content_hash, document_text, media_type)

with

stated as (

    select
        doc_id,
        coalesce(content_hash, '') as source_hash,
        cast(null as varchar) as embedded_hash,
        cast(null as bigint) as batch_number
    from docs_db.source_documents for version as of {{ source_snapshot }}
    where doc_id is not null and doc_id not in (?)

    union all

    select
        doc_id,
        null as source_hash,
        if(is_deleted, null, content_hash) as embedded_hash,
        batch_number
    from embeddings_db.document_versions for version as of {{ versions_snapshot }}
    where profile = ? and doc_id not in (?)

),

compared as (

    select
        doc_id,
        max(source_hash) as source_hash,
        max_by(embedded_hash, batch_number) as embedded_hash
    from stated
    group by doc_id

),

changed as (

    select
        doc_id,
        coalesce(source_hash, embedded_hash) as content_hash,
        case
            when source_hash is null then 'deleted'
            when embedded_hash is null then 'new'
            else 'changed'
        end as change
    from compared
    where source_hash is distinct from embedded_hash

),

chosen as (

    select
        doc_id,
        content_hash,
        change
    from changed
    order by doc_id
    limit ?

)

select
    ? as batch_id,
    cast(mod(crc32(to_utf8(chosen.doc_id)), ?) as integer) as shard,
    chosen.doc_id,
    chosen.change,
    chosen.content_hash,
    source.document_text,
    source.media_type
from docs_db.source_documents for version as of {{ source_snapshot }} as source
right join chosen
    on
        chosen.change <> 'deleted'
        and source.doc_id = chosen.doc_id
        and coalesce(source.content_hash, '') = chosen.content_hash
