-- The batch writes no many times more rows than the profile's last ten published batches did.
-- Why:     a source that suddenly doubles its ids or a splitter that cuts too small costs money and crowds out good answers.
--          Falls are watched by the consent to deletes. Under 100 rows no batch is large.
-- Grain:   one row: by how many times it is larger than the largest (null for a first batch), its rows, the largest one's.
-- Binds:   1. batch_id, 2. batch_id.
-- Names:   embeddings_snapshot (embeddings_db.document_embeddings).
-- Used by: steps/embed_documents/auditing.py

with

recent as (

    select others.chunks_planned - others.chunks_kept as row_count
    from embeddings_db.embedding_batches as others
    inner join embeddings_db.embedding_batches as this
        on others.profile = this.profile and others.batch_number < this.batch_number
    where this.batch_id = ? and others.state = 'published' and others.kind is null
    order by others.batch_number desc
    limit 10

),

largest as (

    select max(row_count) as row_count
    from recent

),

own as (

    select count(*) as row_count
    from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
    where batch_id = ?

)

select
    cast(own.row_count as double) / greatest(largest.row_count, 100) as times_larger,
    own.row_count,
    largest.row_count as largest_recent_count
from own
cross join largest
