"""A component of the local stack: a program, where it answers, and how to tell that it is well."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from dev.stack.ports import HOST
from dev.stack.programs import Program, Started

ROOT = Path(__file__).resolve().parents[2]
PROBE_SECONDS = 5


@dataclass(frozen=True)
class Component:
    """One component; `probe` returns what is wrong with the one that was started, or None if it is well."""

    program: Program
    port: int | None
    probe: Callable[[Started], str | None]

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}" if self.port else ""


def answer(url: str) -> httpx.Response | str:
    """Return what a server of the stack answers with status 200, or what is wrong with it."""
    try:
        # Never through a proxy that the environment names: the stack is on this machine.
        response = httpx.get(url, timeout=PROBE_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        return f"does not answer at {url} ({type(error).__name__})"
    return response if response.status_code == httpx.codes.OK else f"answers {response.status_code} at {url}"
