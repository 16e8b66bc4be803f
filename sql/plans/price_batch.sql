-- What a batch asks of the model: its chunks by where their vectors come from, the distinct texts that are new, and the documents with
-- the most characters to embed, the largest first.
-- Grain:   one row. Tokens are estimated as a quarter of the characters. What two tries found reusable counts once.
-- Binds:   1. batch_id, 2. batch_id.
-- Used by: steps/embed_documents/planning.py

with

planned as (

    select
        doc_id,
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

chunks as (

    select
        planned.doc_id,
        planned.text_hash,
        planned.character_count,
        reused.is_kept,
        reused.chunk_id is null as is_new
    from planned
    left join reused on planned.chunk_id = reused.chunk_id

),

by_text as (

    select
        text_hash,
        max(character_count) as character_count,
        count(*) as chunk_count,
        count_if(is_kept) as kept_count,
        count_if(not is_kept) as copied_count
    from chunks
    group by text_hash

),

by_document as (

    select
        doc_id,
        sum(character_count) as character_count
    from chunks
    where is_new
    group by doc_id

),

largest as (

    select
        max_by(doc_id, character_count, 5) as doc_ids,
        max(character_count, 5) as character_counts
    from by_document

),

summed as (

    select
        coalesce(sum(chunk_count), 0) as chunk_count,
        coalesce(sum(kept_count), 0) as kept_count,
        coalesce(sum(copied_count), 0) as copied_count,
        count_if(kept_count + copied_count < chunk_count) as text_count,
        coalesce(sum(if(kept_count + copied_count < chunk_count, character_count)), 0) as new_characters,
        coalesce(sum(character_count * chunk_count), 0) as planned_characters
    from by_text

)

select
    summed.chunk_count,
    summed.kept_count,
    summed.copied_count,
    summed.text_count,
    cast(ceil(summed.new_characters / 4.0) as bigint) as token_count,
    cast(floor((summed.planned_characters - summed.new_characters) / 4.0) as bigint) as reused_token_count,
    cast(largest.doc_ids as json) as largest_doc_ids,
    cast(largest.character_counts as json) as largest_character_counts
from summed
cross join largest
