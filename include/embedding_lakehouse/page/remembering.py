"""Keep an answer for a while, so that a page that many look at asks for it once."""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any


class Remembered:
    """Answers by a key, each kept for some seconds; while one is read, others who want it wait for it."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answers: dict[Hashable, tuple[float, Any]] = {}
        self._locks: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def get(self, key: Hashable, read: Callable[[], Any]) -> Any:
        """The answer that is kept under the key, or what `read` answers now."""
        with self._lock:
            own = self._locks.setdefault(key, Lock())
        with own:
            known = self._answers.get(key)
            if known is None or self._clock() - known[0] >= self._seconds:
                known = self._answers[key] = (self._clock(), read())
            return known[1]
