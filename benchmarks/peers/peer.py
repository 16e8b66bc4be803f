"""The peers: each in an environment of its own beside the stack's cached Trino, with pinned versions, in a fresh process every time."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from benchmarks.measures import Cost
from dev.stack.component import ROOT
from dev.stack.trino_runtime import cache_folder

PEERS = ("cocoindex", "langchain", "llamaindex")
PINS = Path(__file__).parent
# Peers report their use to their makers unless told not to.
QUIET = {"COCOINDEX_DISABLE_USAGE_TRACKING": "1", "DO_NOT_TRACK": "1", "LANGSMITH_TRACING": "false", "ANONYMIZED_TELEMETRY": "False"}


class PeerFailed(Exception):
    """A peer could not be installed or run; the message is the end of what it said."""


class Peer:
    """One peer over one folder of documents, with a folder for what it remembers between its runs."""

    def __init__(self, name: str, documents: Path, state: Path) -> None:
        self.name = name
        self._documents = documents
        self._state = state
        state.mkdir(parents=True)

    def bring_up_to_date(self) -> Cost:
        """Run it once in a process of its own; imports and loading the model are not counted."""
        python = install(self.name)
        command: list[str | Path] = [python, "-m", "benchmarks.peers.run", self.name, self._documents, self._state]
        environment = {**os.environ, **QUIET, "PYTHONPATH": f"{ROOT / 'include'}:{ROOT}"}
        return Cost(**json.loads(_answer(command, environment).splitlines()[-1]))


@cache
def install(name: str) -> Path:
    """The Python of a peer's environment, made where it is missing or its pins changed. Raises PeerFailed."""
    pins = PINS / f"{name}.txt"
    environment = cache_folder() / "peers" / name
    python, installed = environment / "bin" / "python", environment / "installed.txt"
    if installed.exists() and installed.read_text() == pins.read_text():
        return python
    uv = Path(sys.executable).with_name("uv")
    variables = {**os.environ, **_package_index()}
    shutil.rmtree(environment, ignore_errors=True)
    _answer([uv, "venv", "--quiet", "--python", sys.executable, environment], variables)
    _answer([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--requirements", pins], variables)
    installed.write_text(pins.read_text())
    return python


def _package_index() -> dict[str, str]:
    """What this machine is set up with for pip, in the words of uv, which does not read pip's configuration."""
    settings = {"UV_DEFAULT_INDEX": "index-url", "UV_INDEX": "extra-index-url", "SSL_CERT_FILE": "cert"}
    asked = {
        variable: subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", f"global.{setting}"], capture_output=True, text=True, check=False
        ).stdout.strip()
        for variable, setting in settings.items()
        if variable not in os.environ
    }
    return {variable: value for variable, value in asked.items() if value}


def _answer(command: list[str | Path], environment: dict[str, str]) -> str:
    """What a command printed. Raises PeerFailed with the end of what it said where it failed."""
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise PeerFailed("\n".join(ended.stderr.strip().splitlines()[-3:]) or f"it ended with {ended.returncode}")
    return ended.stdout
