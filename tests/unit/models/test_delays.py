"""How long a server asks to wait, in every form in which it is said."""

from datetime import UTC, datetime

import pytest

from embedding_lakehouse.core.delays import LONGEST, asked_delay, duration

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
SAID = {
    "nothing": ({}, 0.0),
    "milliseconds": ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
    "seconds": ({"retry-after": "2"}, 2.0),
    "a part of a second": ({"retry-after": "0.25"}, 0.25),
    "a date": ({"retry-after": "Fri, 01 May 2026 12:00:07 GMT"}, 7.0),
    "a date that has passed": ({"retry-after": "Fri, 01 May 2026 11:00:00 GMT"}, 0.0),
    "too long": ({"retry-after": "86400"}, LONGEST),
    "nonsense": ({"retry-after": "soon"}, 0.0),
    "what is used up": (
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6s",
            "x-ratelimit-remaining-tokens": "9000",
            "x-ratelimit-reset-tokens": "50s",
        },
        6.0,
    ),
    "both resets": ({"x-ratelimit-reset-requests": "20ms", "x-ratelimit-reset-tokens": "1m3s"}, 63.0),
}


@pytest.mark.parametrize(("headers", "seconds"), SAID.values(), ids=SAID)
def test_the_delay_is_read(headers: dict[str, str], seconds: float) -> None:
    assert asked_delay(headers, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("6m0s", 360), ("1.5s", 1.5), ("20ms", 0.02), ("1h2m", 3_720), ("", 0), ("6", 0), ("1s and more", 0)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)
