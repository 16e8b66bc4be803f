-- What a batch asks of the model: its chunks by where their vectors come from, and the distinct texts that are new.
-- Grain:   one row. Tokens are estimated as a quarter of the characters. What two tries found reusable counts once.
-- Binds:   1. batch_id, 2. batch_id.
-- Used by: steps/embed_documents/planning.py

with

planned as (

    select
        chunk_id,
        text_hash,
        length(chunk_text) as character_count
    from embeddings_db.batch_chunks
    where batch_id = ?

),

reused as (

    select distinct
        chunk_id,
        is_kept
    from embeddings_db.batch_reuse
    where batch_id = ?

),

by_text as (

    select
        planned.text_hash,
        max(planned.character_count) as character_count,
        count(*) as chunk_count,
        count_if(reused.is_kept) as kept_count,
        count_if(not reused.is_kept) as copied_count
    from planned
    left join reused on planned.chunk_id = reused.chunk_id
    group by planned.text_hash

)

select
    coalesce(sum(chunk_count), 0) as chunk_count,
    coalesce(sum(kept_count), 0) as kept_count,
    coalesce(sum(copied_count), 0) as copied_count,
    count_if(kept_count + copied_count < chunk_count) as text_count,
    cast(ceil(coalesce(sum(if(kept_count + copied_count < chunk_count, character_count)), 0) / 4.0) as bigint) as token_count
from by_text
