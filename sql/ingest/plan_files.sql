-- Plan an ingestion: the listed files that are new, changed or to be read again, spread over shards, and the files that vanished.
-- A file that waits for an id which another file holds is read again as soon as any other file changes.
-- Grain:   one row per file to read and per vanished file.
-- Binds:   1. ingest_id, 2. source, 3. reader, 4. reader, 5. limits, 6. reader, 7. whether the listing is complete, 8. most shards,
--          9. files per shard, 10. bytes per shard, 11. ingest_id.
-- Used by: steps/ingest_documents/listing.py

insert into docs_db.ingest_files (ingest_id, shard, path, size_bytes, modified_at, etag, problem, change)

with

stated as (

    select
        path,
        true as is_listed,
        size_bytes,
        modified_at,
        etag,
        problem,
        cast(null as varchar) as known_version,
        cast(null as varchar) as known_reader
    from docs_db.listed_files
    where ingest_id = ?

    union all

    select
        path,
        false as is_listed,
        null as size_bytes,
        null as modified_at,
        null as etag,
        null as problem,
        concat_ws('|', cast(size_bytes as varchar), cast(to_unixtime(modified_at) as varchar), etag) as known_version,
        reader as known_reader
    from docs_db.source_files
    where source = ?

),

paired as (

    select
        path,
        bool_or(is_listed) as is_listed,
        max(size_bytes) as size_bytes,
        max(modified_at) as modified_at,
        max(etag) as etag,
        max(problem) as problem,
        max(known_version) as known_version,
        max(known_reader) as known_reader
    from stated
    group by path

),

compared as (

    select
        path,
        size_bytes,
        modified_at,
        etag,
        problem,
        case
            when not is_listed then 'vanished'
            when known_version is null then 'new'
            when known_version <> concat_ws('|', cast(size_bytes as varchar), cast(to_unixtime(modified_at) as varchar), etag)
                then 'changed'
            when known_reader in (?, concat(?, '|', ?)) then 'unchanged'
            when known_reader = concat(?, '|duplicate_id') then 'waiting'
            else 'again'
        end as change
    from paired

),

differing as (

    select
        path,
        size_bytes,
        modified_at,
        etag,
        problem,
        change
    from compared
    where change <> 'unchanged' and (change <> 'vanished' or ?)

),

sums as (

    select
        count_if(change <> 'waiting') as changing_count,
        coalesce(sum(size_bytes), 0) as total_bytes,
        cast(
            greatest(
                1, least(?, greatest(ceiling(count(*) / cast(? as double)), ceiling(coalesce(sum(size_bytes), 0) / cast(? as double))))
            ) as bigint
        ) as shard_count
    from differing

),

ranked as (

    select
        path,
        row_number() over (order by size_bytes desc, path asc) as position
    from differing
    cross join sums
    -- Files of an eighth of a shard or more are dealt out by size; chance spreads the small ones evenly enough.
    where size_bytes * 8 * shard_count >= total_bytes and size_bytes > 0

)

select
    ? as ingest_id,
    case
        when differing.change = 'vanished' then -1
        when ranked.position is not null then cast(mod(ranked.position - 1, sums.shard_count) as integer)
        else
            cast(
                mod(bitwise_and(from_big_endian_64(xxhash64(to_utf8(differing.path))), 9223372036854775807), sums.shard_count) as integer
            )
    end as shard,
    differing.path,
    differing.size_bytes,
    differing.modified_at,
    differing.etag,
    differing.problem,
    if(differing.change = 'waiting', 'again', differing.change) as change
from differing
cross join sums
left join ranked on differing.path = ranked.path
where differing.change <> 'waiting' or sums.changing_count > 0
