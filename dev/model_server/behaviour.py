"""What the server lets in, what it refuses, the faults that a test switches on, and what it was asked."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

KINDS = (
    "throttled",
    "server_error",
    "model_timeout",
    "quota",
    "unauthorized",
    "forbidden",
    "no_model",
    "cut",
    "cut_after",
    "hang",
    "hang_after",
    "garbage",
    "nan",
    "wrong_dimension",
    "too_few",
    "error_body",
    "null_vector",
    "half_vector",
    "no_index",
    "doubled_index",
    "no_count",
)


@dataclass
class Fault:
    """A fault that hits the requests `after` so many, `times` of them (None: every one). `headers` go along with a refusal.

    `on` names whom it hits, such as `POST /v1/batches`; everybody where it is empty. `cut_after` does
    what was asked and says nothing, or half of a file; `hang` and `hang_after` let the caller wait for as long as it lives.
    `nan` and the kinds after it are answers of status 200.
    """

    kind: str
    times: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    after: int = 0
    on: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known are {', '.join(KINDS)}")


@dataclass
class Behaviour:
    """What holds until the next one is put in force; 0 is no limit.

    A text with `poison` in it is refused without being named, or spoils the answer to its whole request as the fault `poison_as` does.
    An answer is under way for `answer_s` seconds; what it embeds is paid for by then, whether anybody still waits for it or not.
    A batch ends when it was asked for `bulk_polls` times, as `bulk_end` says; one that does not complete has `bulk_share` of its answers.
    One with more texts than `bulk_texts` fails, and so does one with which more than `bulk_queue_tokens` were under way.
    """

    window_s: float = 60.0
    requests_per_window: int = 0
    tokens_per_window: int = 0
    inputs_per_request: int = 2_048
    tokens_per_request: int = 300_000
    tokens_per_input: int = 8_192
    poison: str = ""
    poison_as: str = ""
    answer_s: float = 0.0
    bulk_polls: int = 1
    bulk_end: str = "completed"
    bulk_share: float = 0.5
    bulk_texts: int = 50_000
    bulk_queue_tokens: int = 0
    faults: list[Fault] = field(default_factory=list)

    def refuses(self, texts: list[str]) -> bool:
        """Whether one of the texts is refused for what it says."""
        return "" in texts or (self._is_poisoned(texts) and not self.poison_as)

    def spoilt(self, texts: list[str]) -> Fault | None:
        """The fault that one of the texts is answered with."""
        return Fault(self.poison_as) if self._is_poisoned(texts) and self.poison_as else None

    def _is_poisoned(self, texts: list[str]) -> bool:
        return bool(self.poison) and any(self.poison in text for text in texts)


class Asked(NamedTuple):
    """A request: the second it came, its tokens and texts, and the status it was answered with."""

    at: float
    tokens: int
    inputs: int
    status: int


class Record:
    """The behaviour in force, and what was asked since: requests, calls by their names, texts embedded, and texts put in batches."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.put(Behaviour())

    def put(self, behaviour: Behaviour) -> None:
        """Begin anew."""
        with self._lock:
            self.behaviour = behaviour
            self.asked: list[Asked] = []
            self.texts: Counter[str] = Counter()
            self.batched: Counter[str] = Counter()
            self.calls: Counter[str] = Counter()
            self._window: deque[tuple[float, int]] = deque()

    def note(self, texts: list[str], tokens: int, status: int) -> None:
        """Write down a request that was answered."""
        with self._lock:
            self.asked.append(Asked(time.monotonic(), tokens, len(texts), status))
            if status == 200:
                self.texts.update(texts)

    def fault(self, call: str) -> Fault | None:
        """The fault that hits a request, if there is one."""
        with self._lock:
            self.calls[call] += 1
            for fault in self.behaviour.faults:
                if fault.on not in ("", call):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times is None:
                    return fault
                if fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def admit(self, tokens: int) -> float | None:
        """Let a request in; None, or the seconds until the window has room for it."""
        with self._lock:
            now, limits = time.monotonic(), self.behaviour
            while self._window and self._window[0][0] <= now - limits.window_s:
                self._window.popleft()
            over_requests = limits.requests_per_window and len(self._window) >= limits.requests_per_window
            over_tokens = limits.tokens_per_window and sum(count for _, count in self._window) + tokens > limits.tokens_per_window
            if (over_requests or over_tokens) and self._window:
                return self._window[0][0] + limits.window_s - now
            self._window.append((now, tokens))
            return None
