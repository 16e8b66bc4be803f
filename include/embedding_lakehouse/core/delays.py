"""How long a server asks to be left alone, from the headers of its answer."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RESETS = ("requests", "tokens")
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
# Whoever asks for longer is asked again by then.
LONGEST = 120.0


def asked_delay(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds to wait by `retry-after-ms`, `retry-after` (seconds or a date) or `x-ratelimit-reset-*` of what is used up; 0 for none.

    The keys are in lower case. What cannot be read counts as not said.
    """
    for said in (
        _number(headers.get("retry-after-ms"), 0.001),
        _number(headers.get("retry-after")),
        _until(headers.get("retry-after"), now),
    ):
        if said is not None:
            return min(max(said, 0.0), LONGEST)
    used_up = [kind for kind in RESETS if _number(headers.get(f"x-ratelimit-remaining-{kind}")) == 0]
    resets = [duration(headers.get(f"x-ratelimit-reset-{kind}", "")) for kind in used_up or RESETS]
    return min(max(resets), LONGEST)


def duration(text: str) -> float:
    """Seconds of a duration such as `6m0s`, `1.5s` or `20ms`; 0 for anything else."""
    parts = PART.findall(text)
    if "".join(f"{number}{unit}" for number, unit in parts) != text:
        return 0.0
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def _number(text: str | None, unit: float = 1.0) -> float | None:
    return float(text) * unit if text is not None and re.fullmatch(r"\d+(\.\d+)?", text) else None


def _until(text: str | None, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
