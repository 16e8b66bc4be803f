"""The pace: on a clock of our own, no window of time sees more than the rates allow."""

import random

import pytest

from embedding_lakehouse.core.pacing import HEADROOM, SLOWDOWN, SLOWEST, Pace


def sent(pace: Pace, tokens: list[int], until: float) -> list[tuple[float, int]]:
    """The moments at which one sender, who is always ready, sends requests of these tokens over and over."""
    now, moments = 0.0, []
    while now < until:
        count = tokens[len(moments) % len(tokens)]
        now += pace.reserve(count, now)
        pace.settle(count, count)
        moments.append((now, count))
    return moments


@pytest.mark.parametrize(("rates", "tokens"), [((5, 0), [100]), ((0, 700), [100, 50, 300]), ((5, 500), [100]), ((2, 500), [100, 20])])
def test_a_minute_uses_the_rate_and_no_more(rates: tuple[int, int], tokens: list[int]) -> None:
    moments = [count for moment, count in sent(Pace(*rates, now=0.0), tokens, 60) if moment <= 60]
    shares = [amount / (60 * rate) for amount, rate in ((len(moments), rates[0]), (sum(moments), rates[1])) if rate]
    assert max(shares) <= 1
    assert max(shares) >= HEADROOM - 0.02


@pytest.mark.parametrize("seed", range(20))
def test_no_window_holds_more_than_its_share_and_one_request(seed: int) -> None:
    draw = random.Random(seed)
    moments = sent(Pace(3, 300, now=0.0), [draw.randint(1, 300) for _ in range(50)], 60)
    for start in range(0, 50):
        window = [count for moment, count in moments if start <= moment < start + 10]
        assert len(window) <= 10 * 3 + 1
        assert sum(window) <= 10 * 300 + 300


def test_without_rates_nobody_waits() -> None:
    assert [Pace(0, 0, now=0.0).reserve(10_000, 0.0) for _ in range(3)] == [0, 0, 0]


def test_unused_time_earns_nothing() -> None:
    pace = Pace(1, 0, now=0.0)
    assert [round(pace.reserve(1, 1_000.0) * HEADROOM, 6) for _ in range(3)] == [1, 2, 3]


def test_tokens_that_were_not_foreseen_are_waited_for_afterwards() -> None:
    pace = Pace(0, 100 / HEADROOM, now=0.0)
    pace.reserve(100, 0.0)
    pace.settle(100, 300)
    assert pace.reserve(100, 1.0) == pytest.approx(3.0)


def test_all_requests_rest_for_as_long_as_the_server_asks() -> None:
    pace = Pace(1_000, 0, now=0.0)
    pace.slow_down(5.0, 0.0)
    assert pace.reserve(1, 0.0) == pytest.approx(5.0)


def test_each_refusal_slows_the_pace_and_every_answer_brings_some_of_it_back() -> None:
    pace = Pace(1 / HEADROOM, 0, now=0.0)
    pace.slow_down(0.0, 0.0)
    pace.slow_down(0.0, 0.0)
    assert pace.reserve(1, 10.0) == pytest.approx(1 / SLOWDOWN**2)
    for _ in range(100):
        pace.settle(1, 1)
    assert pace.reserve(1, 100.0) == pytest.approx(1.0)


def test_refusals_at_rest_are_one_refusal() -> None:
    pace = Pace(1 / HEADROOM, 0, now=0.0)
    for _ in range(5):
        pace.slow_down(1.0, 0.0)
    assert pace.reserve(1, 10.0) == pytest.approx(1 / SLOWDOWN)


def test_the_pace_never_comes_to_a_stop() -> None:
    pace = Pace(1 / HEADROOM, 0, now=0.0)
    for moment in range(100):
        pace.slow_down(0.0, float(moment))
    assert pace.reserve(1, 1_000.0) == pytest.approx(1 / SLOWEST)
