-- What each profile cost and saved, day by day (UTC) and summed up: requests, tokens and US dollars, as paid; open batches with their
-- estimate. What `reused` and `saved` say is an estimate from the length of the texts that needed no embedding.
-- Grain:   one row per profile and day on which a batch was planned.
-- Used by: people

with

days as (

    select
        profile,
        cast(planned_at at time zone 'UTC' as date) as planned_on,
        count(*) as batch_count,
        coalesce(sum(chunks_planned), 0) as chunks_planned,
        coalesce(sum(chunks_planned) - sum(chunks_embedded), 0) as chunks_reused,
        coalesce(sum(texts_embedded), 0) as texts_embedded,
        coalesce(sum(requests), 0) as requests,
        coalesce(sum(tokens_estimated), 0) as tokens_estimated,
        coalesce(sum(tokens_embedded), 0) as tokens_embedded,
        coalesce(sum(price_estimated), 0e0) as price_estimated,
        sum(price_spent) as price,
        coalesce(sum(tokens_reused), 0) as tokens_reused,
        coalesce(sum(price_saved), 0e0) as price_saved
    from embeddings_db.embedding_costs
    where kind = 'embed'
    group by
        profile,
        cast(planned_at at time zone 'UTC' as date)

)

select
    profile,
    planned_on,
    batch_count,
    chunks_planned,
    chunks_reused,
    texts_embedded,
    requests,
    tokens_estimated,
    tokens_embedded,
    price_estimated,
    price,
    tokens_reused,
    price_saved,
    sum(price) over (partition by profile, date_trunc('month', planned_on) order by planned_on) as price_this_month,
    sum(price) over (partition by profile order by planned_on) as price_in_all,
    sum(price_saved) over (partition by profile order by planned_on) as saved_in_all
from days
order by
    profile,
    planned_on
