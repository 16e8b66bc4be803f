-- What an ingestion is about to read, by shard.
-- Grain:   one row per shard; the vanished files are shard -1.
-- Binds:   1. source, 2. ingest_id.
-- Used by: steps/ingest_documents/listing.py

select
    planned.shard,
    count(*) as file_count,
    sum(planned.size_bytes) as byte_count,
    coalesce(sum(known.document_count), 0) as document_count
from docs_db.ingest_files as planned
left join docs_db.source_files as known on planned.path = known.path and known.source = ?
where planned.ingest_id = ?
group by planned.shard
order by planned.shard
