"""Items that are made one ahead of their use."""

from collections.abc import Iterator
from threading import Event

import pytest

from embedding_lakehouse.clients.ahead import one_ahead

SECONDS = 10


def test_every_item_comes_once_and_in_order() -> None:
    assert list(one_ahead(iter(range(1_000)))) == list(range(1_000))


def test_nothing_gives_nothing() -> None:
    assert list(one_ahead(iter(()))) == []


def test_the_next_item_is_made_while_one_is_used() -> None:
    second_is_made = Event()

    def items() -> Iterator[int]:
        yield 1
        second_is_made.set()
        yield 2

    coming = one_ahead(items())
    assert next(coming) == 1
    assert second_is_made.wait(SECONDS)


def test_no_more_than_one_item_waits_to_be_used() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    waiting = [len(made) - used for used, _ in enumerate(one_ahead(items()), start=1)]
    assert max(waiting) <= 1


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the file is gone")

    coming = one_ahead(items())
    assert next(coming) == 1
    with pytest.raises(OSError, match="the file is gone"):
        next(coming)


def test_who_stops_early_leaves_no_item_in_the_making() -> None:
    made = (number for number in range(5))
    coming = one_ahead(made)
    next(coming)
    coming.close()
    assert not made.gi_running
    assert next(made) == 2
