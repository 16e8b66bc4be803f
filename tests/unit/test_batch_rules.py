"""The rules of a batch: its number, its share of the work, what it may delete, which settings it continues."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from embedding_lakehouse.core.batches import (
    OPEN_STATES,
    BatchRow,
    check_fingerprint,
    check_resumable,
    hash_range,
    new_batch_id,
    next_batch_number,
    open_batch,
    shard_count,
)
from embedding_lakehouse.core.profiles import BatchLimits, Profile
from embedding_lakehouse.errors import ConfigurationError

PROFILE = Profile("docs", "wordllama", "l2_supercat", "v1", 256)
CHANGED = replace(PROFILE, dimensions=128)
FINISHED_STATES = ("published", "discarded", "rejected")


def row(number: int, state: str, profile: Profile = PROFILE) -> BatchRow:
    return {
        "batch_id": f"b{number}",
        "batch_number": number,
        "profile": profile.name,
        "profile_fingerprint": profile.fingerprint,
        "state": state,
    }


def test_the_first_batch_has_number_one() -> None:
    assert next_batch_number([]) == 1


@pytest.mark.parametrize("state", [*OPEN_STATES, *FINISHED_STATES])
def test_a_number_is_never_given_again(state: str) -> None:
    assert next_batch_number([row(1, "published"), row(7, state), row(3, "published")]) == 8


def test_batch_ids_of_one_moment_differ() -> None:
    moment = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    assert len({new_batch_id(moment) for _ in range(100)}) == 100


def test_batch_ids_sort_by_time() -> None:
    moments = [datetime(2026, 1, day, hour, tzinfo=UTC) for day in (2, 30) for hour in (1, 23)]
    ids = [new_batch_id(moment) for moment in moments]
    assert ids == sorted(ids)


@pytest.mark.parametrize("state", OPEN_STATES)
def test_an_unfinished_batch_of_the_profile_is_open(state: str) -> None:
    assert open_batch([row(1, "published"), row(2, state)], "docs") == row(2, state)


@pytest.mark.parametrize("state", FINISHED_STATES)
def test_a_finished_batch_is_not_open(state: str) -> None:
    assert open_batch([row(1, state)], "docs") is None


def test_a_batch_of_another_profile_is_not_open() -> None:
    assert open_batch([row(1, "planned", replace(PROFILE, name="other"))], "docs") is None


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 64, 100])
def test_every_digest_belongs_to_exactly_one_shard(shards: int) -> None:
    ranges = [hash_range(shard, shards) for shard in range(shards)]
    edges = [edge for edge in {edge for bounds in ranges for edge in bounds} if edge != "g"]
    digests = [sha256(str(number).encode()).hexdigest() for number in range(2_000)]
    digests += [edge + rest for edge in edges for rest in ("0" * 56, "f" * 56)] + ["0" * 64, "f" * 64]
    assert all(sum(low <= digest < high for low, high in ranges) == 1 for digest in digests)


def test_shards_are_about_equal() -> None:
    digests = [sha256(str(number).encode()).hexdigest() for number in range(10_000)]
    sizes = [sum(low <= digest < high for digest in digests) for low, high in (hash_range(shard, 10) for shard in range(10))]
    assert min(sizes) > 850


@pytest.mark.parametrize(("amount", "shards"), [(0, 1), (1, 1), (10, 1), (11, 2), (400, 40), (9_999, 64)])
def test_work_is_cut_into_at_least_one_and_at_most_the_allowed_shards(amount: int, shards: int) -> None:
    assert shard_count(amount, 10, 64) == shards


def test_published_vectors_under_other_settings_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=rf"'docs'.*{CHANGED.fingerprint}.*{PROFILE.fingerprint}, batch b3.*new.*model_version"):
        check_fingerprint([row(3, "published"), row(2, "published", CHANGED)], CHANGED)


@pytest.mark.parametrize("state", [state for state in (*OPEN_STATES, *FINISHED_STATES) if state != "published"])
def test_a_batch_that_was_never_published_binds_no_settings(state: str) -> None:
    assert check_fingerprint([row(1, "published"), row(2, state, CHANGED)], PROFILE) is None


def test_another_profile_binds_no_settings() -> None:
    assert check_fingerprint([row(1, "published", replace(CHANGED, name="other"))], PROFILE) is None


def test_a_batch_begun_under_other_settings_cannot_be_continued() -> None:
    with pytest.raises(ConfigurationError, match=r"batch b2 was begun under other settings of profile 'docs'.*discard_open"):
        check_resumable(row(2, "priced"), CHANGED)


def test_a_batch_is_continued_under_its_own_settings() -> None:
    draw = random.Random(1)
    paced = replace(PROFILE, batch=BatchLimits(documents=draw.randint(1, 9)), usd_per_million_tokens=3.0)
    assert check_resumable(row(2, "priced"), paced) is None
