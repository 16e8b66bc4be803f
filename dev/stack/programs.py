"""Programs that outlive the command which started them, found again by a mark that they and all their children carry."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psutil

from dev.files import write_privately
from dev.stack.errors import StackError

MARK = "LAKEHOUSE_COMPONENT"
KILL_SECONDS = 20
START_SECONDS = 5
LARGEST_LOG = 50_000_000


@dataclass(frozen=True)
class Program:
    """What to start: its name, its command line and the environment variables it gets beside the inherited ones."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Return a digest that changes with anything the program was started with."""
        return sha256(json.dumps([self.command, sorted(self.environment.items())]).encode()).hexdigest()


@dataclass(frozen=True)
class Started:
    """A program that was started: its leading process, the token in its mark, and when (seconds since the epoch)."""

    pid: int
    token: str
    at: float
    fingerprint: str


class Programs:
    """The programs of one home folder: `state/<name>.json` remembers each, `logs/<name>.log` has what it said.

    A process belongs to a program if its environment carries the program's mark. That holds through forks, new sessions and
    process groups, the death of the leader and reboots, and no recycled pid can be mistaken for it.
    """

    def __init__(self, home: Path, working_folder: Path, term_seconds: float = 10) -> None:
        self.home = home
        self.working_folder = working_folder
        self.term_seconds = term_seconds
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, program: Program) -> Started:
        """Start a program in a session of its own, after ending whatever an earlier start left behind."""
        self.stop([program.name])
        token = secrets.token_hex(8)
        mark = f"{self._mark(program.name)}{token}"
        log = self.log(program.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.rename(log.with_suffix(".log.1"))
        with log.open("ab") as stream:
            child = subprocess.Popen(
                program.command,
                env={**os.environ, **program.environment, MARK: mark},
                cwd=self.working_folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children[program.name] = child
        started = Started(child.pid, token, time.time(), program.fingerprint)
        write_privately(self._record(program.name), json.dumps(vars(started)))
        _wait_for_mark(child, mark)
        return started

    def running(self, name: str) -> Started | None:
        """Return what was started under a name if its leading process still lives."""
        started = self.remembered(name)
        if started is None:
            return None
        try:
            leader = psutil.Process(started.pid)
        except psutil.NoSuchProcess:
            return None
        return started if _mark_of(leader) == f"{self._mark(name)}{started.token}" else None

    def remembered(self, name: str) -> Started | None:
        """Return what was last started under a name and never stopped, dead or alive."""
        record = self._record(name)
        return Started(**json.loads(record.read_text())) if record.exists() else None

    def members(self, names: Iterable[str]) -> list[psutil.Process]:
        """Return the living processes of the named programs: leaders, children, and orphans of leaders that died."""
        marks = tuple(self._mark(name) for name in names)
        return [one for one in psutil.process_iter() if one.pid != os.getpid() and _mark_of(one).startswith(marks)] if marks else []

    def stop(self, names: Iterable[str], patience: float | None = None) -> None:
        """End every process of the named programs: TERM first, KILL for those that ignore it for `patience` seconds, and forget them.

        Raises StackError if one survives even that.
        """
        names, patience = list(names), self.term_seconds if patience is None else patience
        begun = time.monotonic()
        _signal(self.members(names), kill=False)
        while members := self._certain_members(names):
            waited = time.monotonic() - begun
            if waited > patience + KILL_SECONDS:
                raise StackError(f"{', '.join(names)}: {[one.pid for one in members]} survive even KILL; end them by hand.")
            if waited > patience:
                # Those of this round, not of the first: a process can have forked in between.
                _signal(members, kill=True)
            time.sleep(0.05)
        for name in names:
            self._record(name).unlink(missing_ok=True)

    def log(self, name: str) -> Path:
        """Return the file that holds what a program wrote."""
        return self.home / "logs" / f"{name}.log"

    def _record(self, name: str) -> Path:
        return self.home / "state" / f"{name}.json"

    def _mark(self, name: str) -> str:
        return f"{self.home}:{name}:"

    def _certain_members(self, names: list[str]) -> list[psutil.Process]:
        # A dead child stays a zombie until its parent asks for it; this matters where the stack and its user are one process.
        for name in names:
            if name in self._children and self._children[name].poll() is not None:
                del self._children[name]
        # Looked for twice: a process that is just executing another program has no environment for a moment.
        return self.members(names) or self.members(names)


def _wait_for_mark(child: subprocess.Popen[bytes], mark: str) -> None:
    # The new program shows its environment a moment after Popen returns.
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline and _mark_of(psutil.Process(child.pid)) != mark:
        time.sleep(0.01)


def memory(members: Iterable[psutil.Process]) -> int:
    """Return the bytes of memory that processes take together; what forked processes share is counted once where the system tells."""
    total = 0
    for member in members:
        try:
            used = member.memory_full_info()
            total += getattr(used, "pss", used.uss)
        except psutil.Error:
            # It ended between the listing and the question.
            continue
    return total


def _mark_of(one: psutil.Process) -> str:
    # Zombies and other users' processes show no environment, which is right: neither is a living process of ours.
    try:
        return one.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return ""


def _signal(members: Iterable[psutil.Process], *, kill: bool) -> None:
    for member in members:
        try:
            member.kill() if kill else member.terminate()
        except psutil.NoSuchProcess:
            # It ended by itself.
            continue
