"""A checksum over a set of record ids that does not depend on their order, so that a sync moves it by its own changes alone."""

from collections.abc import Iterable

SPACE = 2**64
HEAD_DIGITS = 16
EMPTY = f"{0:016x}"


def checksum(added: Iterable[str], removed: Iterable[str] = ()) -> str:
    """The sum of the ids' first 64 bits, less that of the removed ones, modulo 2**64: 16 hex digits.

    The ids of our records are SHA-256 hex digests, which spread evenly: a set that lacks or exceeds by any few has another sum.
    """
    return f"{(sum(map(_head, added)) - sum(map(_head, removed))) % SPACE:016x}"


def combined(*checksums: str) -> str:
    """The checksum of disjoint sets together, or of a set and what was added to and removed from it."""
    return f"{sum(int(part, 16) for part in checksums) % SPACE:016x}"


def _head(record_id: str) -> int:
    return int(record_id[:HEAD_DIGITS], 16)
