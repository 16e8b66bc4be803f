"""The vector and the tokens of a text: the same ones for the same text."""

from hashlib import sha256
from math import ceil

import numpy as np


def vector_of(text: str, dimensions: int, normalise: bool = True) -> np.ndarray:
    """A vector (float32) that the text alone decides, of length 1 where it is normalised, else of length 3."""
    seed = int.from_bytes(sha256(text.encode()).digest()[:8])
    values = np.random.default_rng(seed).normal(size=dimensions)
    return (values / np.linalg.norm(values) * (1 if normalise else 3)).astype(np.float32)


def tokens_of(text: str) -> int:
    """A token for four characters."""
    return max(1, ceil(len(text) / 4))
