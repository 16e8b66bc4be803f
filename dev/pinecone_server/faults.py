"""Faults that a test switches on: throttling, server errors, half-written upserts and cut connections, by rules with a seed."""

import random
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from threading import Lock

from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dev.pinecone_server.errors import invalid
from dev.pinecone_server.requests import RawBody, answer, parsed
from dev.pinecone_server.versions import Visibility

KINDS = ("too_many_requests", "server_error", "partial_write", "cut_before", "cut_after", "rate_limit")
SPARED = ("/faults", "/health")
LONGEST_DELAY_MS = 1e12


@dataclass
class Rule:
    """A fault and the requests that it hits: a share of those whose path ends with `path`, `times` at most.

    `rate_limit` hits what goes beyond `requests_per_second` on one path. `partial_write` writes the first half of an upsert and
    answers 500. `cut_before` closes the connection before the request does anything, `cut_after` after it did everything.
    """

    kind: str
    share: float = 1.0
    times: int | None = None
    path: str = ""
    status: int = 503
    retry_after_s: float | None = None
    requests_per_second: float = 100.0
    hits: int = field(default=0)


class Faults:
    """The rules in force. The same seed and the same requests one after the other give the same faults."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.set([], seed=0)

    def set(self, rules: list[Rule], seed: int) -> None:
        """Replace all rules and begin the random numbers of a seed."""
        with self._lock:
            self.rules = rules
            self._random = random.Random(seed)  # noqa: S311 - not for secrets
            self._recent: dict[str, deque[float]] = {}

    def draw(self, path: str) -> Rule | None:
        """Return the first rule that hits a request of this path."""
        with self._lock:
            for rule in self.rules:
                if path.endswith(rule.path) and (rule.times is None or rule.hits < rule.times) and self._hits(rule, path):
                    rule.hits += 1
                    return rule
        return None

    def _hits(self, rule: Rule, path: str) -> bool:
        if rule.kind != "rate_limit":
            return self._random.random() < rule.share
        now, recent = time.monotonic(), self._recent.setdefault(path, deque())
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= rule.requests_per_second:
            return True
        recent.append(now)
        return False


class FaultInjector:
    """Stands in front of the whole application."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rule = self._faults.draw(scope["path"]) if scope["type"] == "http" and scope["path"] not in SPARED else None
        if rule is None:
            await self._app(scope, receive, send)
        elif rule.kind == "cut_before":
            _cut(send)
        elif rule.kind == "cut_after":
            await self._app(scope, receive, _swallow)
            _cut(send)
        elif rule.kind == "partial_write":
            scope.setdefault("state", {})["write_half"] = True
            await self._app(scope, receive, send)
        else:
            await _failure(rule)(scope, receive, send)


async def _swallow(message: Message) -> None:
    """Take a part of an answer that nobody is to see."""


def _cut(send: Send) -> None:
    # ASGI has no way to hang up without an answer; the function that uvicorn hands over belongs to the connection.
    send.__self__.transport.abort()  # type: ignore[attr-defined]


def _failure(rule: Rule) -> Response:
    if rule.kind == "server_error":
        return answer({"code": 13, "message": f"Injected fault: {rule.status}", "details": []}, status=rule.status)
    # The layer that throttles stands before the service and answers in plain text.
    waiting = 1.0 if rule.retry_after_s is None else rule.retry_after_s
    return Response("Too many requests (injected fault)", 429, {"Retry-After": f"{waiting:g}"}, "text/plain")


router = APIRouter()


@router.get("/faults")
def show(request: Request) -> Response:
    """Answer with the rules, how often each hit, and the visibility delay."""
    state = request.app.state
    rules = [asdict(rule) for rule in state.faults.rules]
    return answer({"rules": rules, "visibility_delay_ms": round(state.store.visibility.delay_s * 1000)})


@router.put("/faults")
def switch(request: Request, raw: RawBody) -> Response:
    """Replace the rules, `{"seed": 1, "rules": [{"kind": "server_error", "share": 0.3}]}`, and the visibility delay if it is given."""
    configure(request.app.state.faults, request.app.state.store.visibility, parsed(raw))
    return show(request)


def configure(faults: Faults, visibility: Visibility, wanted: dict) -> None:
    """Put rules and a visibility delay in force. Raises Refusal if a rule is not possible."""
    if unknown := set(wanted) - {"seed", "rules", "visibility_delay_ms"}:
        raise invalid(f"Unknown settings: {', '.join(sorted(unknown))}")
    rules, seed = wanted.get("rules", []), wanted.get("seed", 0)
    delay_ms = wanted.get("visibility_delay_ms", visibility.delay_s * 1000)
    if (
        not isinstance(rules, list)
        or not isinstance(seed, int)
        or not isinstance(delay_ms, int | float)
        or not 0 <= delay_ms <= LONGEST_DELAY_MS
    ):
        raise invalid(f"rules must be a list, seed a whole number, and visibility_delay_ms a number up to {LONGEST_DELAY_MS:.0f}")
    faults.set([_rule(fields) for fields in rules], seed)
    visibility.delay_s = delay_ms / 1000


def _rule(fields: dict) -> Rule:
    try:
        rule = Rule(**fields)
    except TypeError as error:
        raise invalid(f"{fields} is not a rule: {error}") from None
    if rule.kind not in KINDS:
        raise invalid(f"{rule.kind!r} is not a fault: choose one of {', '.join(KINDS)}")
    given = [number for number in (rule.times, rule.retry_after_s) if number is not None]
    numbers = (rule.share, rule.requests_per_second, rule.hits, *given)
    if not isinstance(rule.path, str) or not all(isinstance(number, int | float) for number in numbers):
        raise invalid(f"{fields} is not a rule: its path must be a string, and what it counts or measures a number")
    if not isinstance(rule.status, int) or not 400 <= rule.status <= 599:
        raise invalid(f"{rule.status!r} is not the status of an error: choose one from 400 to 599")
    return rule
