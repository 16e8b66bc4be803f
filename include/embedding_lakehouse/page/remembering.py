"""Keep an answer that takes long, so that nobody waits for it: it is read anew beside those who look, who have the last one meanwhile."""

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock, Thread
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What is known: the last answer and when it was read, None before the first one; and whether it is being read anew."""

    answer: Any = None
    read_at: datetime | None = None
    is_being_read: bool = False


class Remembered:
    """Answers by a key, each read anew once it is some seconds old and somebody looks."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._looks: dict[Hashable, Look] = {}
        self._tried: dict[Hashable, float] = {}
        self._lock = Lock()

    def look(self, key: Hashable, read: Callable[[], Any]) -> Look:
        """What is known now, at once; `read` is called in a thread of its own where that is too old. One that fails is logged."""
        with self._lock:
            known = self._looks.get(key, Look())
            tried = self._tried.get(key)
            if known.is_being_read or (tried is not None and self._clock() - tried < self._seconds):
                return known
            self._tried[key] = self._clock()
            known = self._looks[key] = Look(known.answer, known.read_at, is_being_read=True)
        Thread(target=self._read, args=(key, read, known), name="remembered", daemon=True).start()
        return known

    def _read(self, key: Hashable, read: Callable[[], Any], before: Look) -> None:
        look = Look(before.answer, before.read_at)
        try:
            look = Look(read(), datetime.now(UTC))
        except Exception:
            logger.warning("what the page remembers of %s could not be read anew", key, exc_info=True)
        with self._lock:
            self._looks[key] = look
            self._tried[key] = self._clock()
