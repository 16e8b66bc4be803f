"""How files are spread over shards."""

import random

from embedding_lakehouse.core.sharding import BUCKET_ROWS, BYTES_PER_FILE, MOST_SHARDS, SHARD_BYTES, buckets, file_shards, spread


def test_few_small_files_are_one_shard() -> None:
    assert file_shards([]) == 1
    assert file_shards([1_000] * 200) == 1


def test_shards_grow_with_bytes_and_with_files_up_to_a_limit() -> None:
    assert file_shards([SHARD_BYTES] * 3) == 4
    assert file_shards([0] * (2 * SHARD_BYTES // BYTES_PER_FILE)) == 2
    assert file_shards([SHARD_BYTES] * 1_000) == MOST_SHARDS


def test_every_file_gets_a_shard_and_its_load() -> None:
    loads = [0, 0, 0]
    shards = spread([5_000_000, 1_000_000, 4_000_000, 4_000_000], loads)
    assert sorted(loads) == [4_000_000 + BYTES_PER_FILE, 5_000_000 + BYTES_PER_FILE, 5_000_000 + 2 * BYTES_PER_FILE]
    assert len(shards) == 4


def test_uneven_files_make_even_shards() -> None:
    chance = random.Random(1)
    loads = [0] * 16
    for _ in range(3):
        spread([int(chance.paretovariate(1.2) * 1_000) for _ in range(2_000)], loads)
    assert max(loads) < 1.05 * min(loads)


def test_buckets_bound_the_rows_of_a_comparison() -> None:
    assert [buckets(rows) for rows in (0, 1, BUCKET_ROWS, BUCKET_ROWS + 1, 16 * BUCKET_ROWS)] == [1, 1, 1, 2, 16]


def test_nothing_to_spread_is_nothing() -> None:
    assert spread([], []) == []
