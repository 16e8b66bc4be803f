"""Packing: whatever the texts, no request is above a limit, each text is in one, and few requests are needed."""

import random
from math import ceil

import pytest

from embedding_lakehouse.core.packing import fit_checkpoint, pack


def drawn(seed: int) -> tuple[list[int], int, int]:
    """Tokens of some texts, none of them over the limit, and the limits; 0 is none."""
    draw = random.Random(seed)
    most_tokens = draw.choice([0, draw.randint(1, 50), draw.randint(50, 5_000)])
    counts = [draw.randint(0, most_tokens or 1_000) for _ in range(draw.choice([0, 1, 2, 10, 300]))]
    return counts, draw.choice([0, 1, 2, 7, 100]), most_tokens


@pytest.mark.parametrize("seed", range(300))
def test_no_request_is_above_a_limit_and_every_text_is_in_one(seed: int) -> None:
    counts, most_inputs, most_tokens = drawn(seed)
    requests = pack(counts, most_inputs, most_tokens)
    assert sorted(position for request in requests for position in request) == list(range(len(counts)))
    assert all(requests), "an empty request"
    assert all(len(request) <= (most_inputs or len(counts)) for request in requests)
    assert all(sum(counts[position] for position in request) <= (most_tokens or sum(counts)) for request in requests)


@pytest.mark.parametrize("seed", range(300))
def test_at_most_one_request_is_less_than_half_full(seed: int) -> None:
    counts, most_inputs, most_tokens = drawn(seed)
    requests = pack(counts, most_inputs, most_tokens)
    open_ones = [request for request in requests if len(request) < (most_inputs or len(counts) + 1)]
    assert sum(2 * sum(counts[position] for position in request) <= most_tokens for request in open_ones) <= 1


def test_a_text_that_alone_is_above_the_limit_has_a_request_of_its_own() -> None:
    assert sorted(map(sorted, pack([3, 50, 4], 0, 10))) == [[0, 2], [1]]


def test_chunks_of_a_thousand_characters_fill_nearly_all_of_a_small_request() -> None:
    draw = random.Random(1)
    counts = [draw.randint(100, 320) for _ in range(5_000)]
    requests = pack(counts, 2_048, 8_000)
    assert len(requests) <= ceil(sum(counts) / 8_000 / 0.99)


def test_the_same_texts_are_packed_in_the_same_way() -> None:
    assert pack([5, 5, 3, 8, 1], 3, 10) == pack([5, 5, 3, 8, 1], 3, 10)


@pytest.mark.parametrize("checkpoint", [1, 3, 100, 2_000])
@pytest.mark.parametrize("in_flight", [1, 4, 16])
@pytest.mark.parametrize("most_inputs", [0, 1, 96, 2_048])
def test_a_kill_loses_at_most_a_checkpoint(checkpoint: int, in_flight: int, most_inputs: int) -> None:
    inputs, together = fit_checkpoint(checkpoint, in_flight, most_inputs)
    assert 1 <= inputs <= (most_inputs or checkpoint)
    arrived_at_most = together - 1
    assert arrived_at_most + inputs * in_flight <= max(checkpoint, in_flight)
