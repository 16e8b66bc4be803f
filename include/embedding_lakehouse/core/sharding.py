"""Spread files over shards so that each has about the same work."""

import heapq
from math import ceil

# What opening a file costs, as bytes, so that a shard of many small files is not the last to finish.
BYTES_PER_FILE = 50_000
# Rows that one statement compares in memory: 0.4 to 0.8 GB for a million.
BUCKET_ROWS = 500_000
SHARD_BYTES = 16_000_000
MOST_SHARDS = 64


def file_shards(sizes: list[int]) -> int:
    """Shards for files of these sizes: at least 1, at most 64."""
    return max(1, min(MOST_SHARDS, ceil(sum(size + BYTES_PER_FILE for size in sizes) / SHARD_BYTES)))


def buckets(rows: int) -> int:
    """Into how many parts, by a hash of the key, a comparison of so many rows is divided, so that its memory is bounded."""
    return max(1, ceil(rows / BUCKET_ROWS))


def spread(sizes: list[int], loads: list[int]) -> list[int]:
    """The shard of each file, largest first to the least loaded; `loads` has the work of each shard and grows by what it gets.

    No shard gets more than a third above the best possible spread (Graham, 1969: largest processing time first).
    """
    least = [(load, shard) for shard, load in enumerate(loads)]
    heapq.heapify(least)
    chosen = [0] * len(sizes)
    for position in sorted(range(len(sizes)), key=lambda position: -sizes[position]):
        load, shard = least[0]
        chosen[position] = shard
        heapq.heapreplace(least, (load + sizes[position] + BYTES_PER_FILE, shard))
    for load, shard in least:
        loads[shard] = load
    return chosen
