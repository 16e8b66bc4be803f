"""Tokens of texts whose model keeps its tokenizer to itself: estimated before it is asked, shared out of its own count afterwards."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

ASCII_PER_TOKEN = 4


def estimated_tokens(text: str) -> int:
    """About as many tokens as a model counts: one for 4 ASCII characters or for each other one. The same text has the same estimate."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return max(1, ceil(ascii_count / ASCII_PER_TOKEN) + len(text) - ascii_count)


def apportioned(total: int, estimates: Sequence[int]) -> list[int]:
    """A total shared out in the proportions of the estimates, in whole tokens that add up to it."""
    weight = sum(estimates) or 1
    shares: list[int] = []
    reached = given = 0
    for estimate in estimates:
        reached += estimate
        shares.append(total * reached // weight - given)
        given += shares[-1]
    return shares


def cut_evenly(text: str, pieces: int) -> list[str]:
    """The text in at most so many pieces of about equal length, none empty, cut after white space where there is some near; all of it."""
    pieces = max(1, min(pieces, len(text)))
    reach = len(text) // (4 * pieces)
    cuts = [0, *(_near_space(text, len(text) * number // pieces, reach) for number in range(1, pieces)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts) if start < end]


def _near_space(text: str, place: int, reach: int) -> int:
    """The place after the white space nearest before `place`, at most `reach` away; otherwise `place`."""
    for candidate in range(place, max(place - reach, 1), -1):
        if text[candidate - 1].isspace():
            return candidate
    return place
