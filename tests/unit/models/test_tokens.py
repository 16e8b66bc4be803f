"""Estimates, shares and pieces: nothing of a text or of a count is lost."""

import random

import pytest

from embedding_lakehouse.core.tokens import apportioned, cut_evenly, estimated_tokens


def test_four_ascii_characters_or_one_other_are_a_token() -> None:
    assert [estimated_tokens(text) for text in ("", "a", "abcd", "abcde", "東京", "abcd東京")] == [1, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("seed", range(100))
def test_the_shares_add_up_to_the_total_and_follow_the_estimates(seed: int) -> None:
    draw = random.Random(seed)
    estimates = [draw.randint(1, 500) for _ in range(draw.randint(1, 40))]
    total = draw.randint(0, 2 * sum(estimates))
    shares = apportioned(total, estimates)
    assert sum(shares) == total
    assert all(abs(share - total * estimate / sum(estimates)) <= 1 for share, estimate in zip(shares, estimates, strict=True))


@pytest.mark.parametrize("seed", range(200))
def test_the_pieces_are_the_whole_text_and_about_equal(seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(draw.choices("abcdef \n東", k=draw.randint(1, 400)))
    wanted = draw.randint(1, 12)
    pieces = cut_evenly(text, wanted)
    assert "".join(pieces) == text
    assert all(pieces)
    assert len(pieces) == min(wanted, len(text))
    # A cut moves by at most a quarter of a piece to the nearest white space.
    assert max(map(len, pieces)) <= len(text) / len(pieces) * 1.25 + 1


def test_a_cut_is_made_after_white_space() -> None:
    assert cut_evenly("one two three four, five six seven", 2) == ["one two three ", "four, five six seven"]
