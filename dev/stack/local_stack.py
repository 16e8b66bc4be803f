"""Start, judge and stop the components of one home folder."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.files import locked, write_privately
from dev.stack.airflow import COMMANDS, airflow_components, airflow_environment, prepare_airflow
from dev.stack.catalog import create_catalog
from dev.stack.component import ROOT, Component
from dev.stack.credentials import Credentials, credentials
from dev.stack.errors import ComponentFailed, StackError
from dev.stack.pinecone import pinecone_component
from dev.stack.ports import free_port, is_free
from dev.stack.preferences import PORTS, airflow_settings, home_folder, preferred_ports
from dev.stack.programs import Programs, memory
from dev.stack.trino_server import CATALOGS, trino_component

COMPONENTS = ("trino", "pinecone", *COMMANDS)
# The component that listens on each port.
LISTENERS = {"trino": "trino", "pinecone": "pinecone", "airflow": "airflow-api-server"}
# Long, for a machine that has other work to do: a component that ended is noticed at once.
START_SECONDS = 600
RECOVER_SECONDS = 60
PORT_RACES = 3
ORPHAN_SECONDS = 2


@dataclass(frozen=True)
class Status:
    """How a component is: `healthy`, `sick` (lives, but is not well), `dead` (was started and is gone) or `stopped`."""

    name: str
    state: str
    trouble: str
    address: str
    pid: int | None
    started_at: float | None
    memory: int


class Stack:
    """The local stack in a home folder.

    As a context manager it stops everything it finds there at the end. By default each server takes any free port and keeps it
    for the home's lifetime, which is what tests want; `Stack.of_project()` is the one with the ports and settings of `.env`.
    """

    def __init__(
        self,
        home: Path,
        preferred: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
        trino_catalogs: Path = CATALOGS,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.home = home.resolve()
        self.programs = Programs(self.home, ROOT)
        self._preferred = preferred or dict.fromkeys(PORTS, 0)
        self.settings = settings or {}
        self._trino_catalogs = trino_catalogs
        self._report = report

    @classmethod
    def of_project(cls, report: Callable[[str], None] = lambda line: None) -> Self:
        """Return the project's own stack, as the environment and `.env` want it."""
        return cls(home_folder(), preferred_ports(), airflow_settings(), report=report)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of `trino`, `pinecone` and `airflow`. Raises StackError before the first start."""
        if not (remembered := self._remembered_ports()):
            raise StackError(f"The stack in {self.home} was never started: run `make up`.")
        return {name: port["chosen"] for name, port in remembered.items()}

    @property
    def credentials(self) -> Credentials:
        return credentials(self.home)

    def environment(self) -> dict[str, str]:
        """Return the environment variables under which Airflow, the demo and the tests reach this stack."""
        return {**airflow_environment(self.home, self.ports, self.credentials), **self.settings}

    def choose_ports(self) -> None:
        """Fix the port of each server, which a start does by itself; a port once chosen stays while it is free or its server lives."""
        remembered = self._remembered_ports()
        chosen: dict[str, dict[str, int]] = {}
        for name, preferred in self._preferred.items():
            before = remembered.get(name, {})
            port = before.get("chosen", 0)
            usable = port and (self.programs.running(LISTENERS[name]) or is_free(port))
            if not usable or before["preferred"] != preferred:
                port = free_port(preferred, frozenset(one["chosen"] for one in chosen.values()))
                if preferred not in (0, port):
                    self._report(f"port {preferred} is taken: {LISTENERS[name]} gets {port}")
            chosen[name] = {"preferred": preferred, "chosen": port}
        write_privately(self.home / "ports.json", json.dumps(chosen))

    def start(self, names: Iterable[str] = COMPONENTS) -> None:
        """Bring the named components up and return when all are well; those that already run as wanted are left alone.

        Raises ComponentFailed with the end of its log if one ends or is not well within ten minutes.
        """
        names = _checked(names)
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.home / "stack.lock", lambda: self._report("another start or stop is under way: waiting for it")):
            for races_left in reversed(range(PORT_RACES)):
                try:
                    return self._bring_up(names)
                except ComponentFailed as failure:
                    if not (races_left and self._lost_its_port(failure.name)):
                        raise
                    self._report(f"{failure.name}: somebody else took its port in the meantime, trying another one")

    def stop(self, names: Iterable[str] = COMPONENTS) -> None:
        """End every process of the named components, also those whose leader is dead. Raises StackError if one survives."""
        names = _checked(names)
        if self.home.exists():
            with locked(self.home / "stack.lock", lambda: self._report("another start or stop is under way: waiting for it")):
                # Airflow first, so that no running task sees its servers go.
                self.programs.stop([name for name in names if name in COMMANDS])
                self.programs.stop([name for name in names if name not in COMMANDS])

    def status(self) -> list[Status]:
        """Return how each component is, asked now."""
        if not self._remembered_ports():
            return [Status(name, "stopped", "", "", None, None, 0) for name in COMPONENTS]
        return [self._status(component) for component in self._components(COMPONENTS)]

    def _status(self, component: Component) -> Status:
        name = component.name
        members = self.programs.members([name])
        if started := self.programs.running(name):
            trouble = component.probe(started) or ""
            state = "sick" if trouble else "healthy"
            return Status(name, state, trouble, component.address, started.pid, started.at, memory(members))
        left = f"{len(members)} of its processes are left" if members else ""
        if self.programs.remembered(name):
            return Status(name, "dead", left or f"see {self.programs.log(name)}", "", None, None, memory(members))
        return Status(name, "dead" if left else "stopped", left, "", None, None, memory(members))

    def _bring_up(self, names: list[str]) -> None:
        # A dead leader's children may still hold its port, and Airflow's workers without a scheduler do not listen to TERM.
        self.programs.stop([name for name in names if not self.programs.running(name)], ORPHAN_SECONDS)
        self.choose_ports()
        create_catalog(self.home)
        begun = time.monotonic()
        components, fresh = self._components(names), set()
        for component in components:
            started = self.programs.running(component.name)
            if started is None or started.fingerprint != component.program.fingerprint:
                self._launch(component)
                fresh.add(component.name)
        self._await({component.name: component for component in components}, fresh, begun)

    def _launch(self, component: Component) -> None:
        if component.name in COMMANDS:
            log = self.programs.log("airflow-db-migrate")
            prepare_airflow(self.home, component.program.environment, self.credentials, log)
        self._report(f"{component.name}: starting")
        self.programs.start(component.program)

    def _await(self, waiting: dict[str, Component], fresh: set[str], begun: float) -> None:
        patience = {name: time.monotonic() + (START_SECONDS if name in fresh else RECOVER_SECONDS) for name in waiting}
        while waiting:
            for name, component in list(waiting.items()):
                trouble = self._trouble(component)
                if trouble is None:
                    del waiting[name]
                    how = f"ready after {time.monotonic() - begun:.0f} s" if name in fresh else "already running"
                    self._report(f"{name}: {how} {component.address}".rstrip())
                elif time.monotonic() > patience[name]:
                    if name in fresh:
                        raise ComponentFailed(name, f"{name} {trouble}, {START_SECONDS} s after its start. {self._end_of_log(name)}")
                    self._report(f"{name} {trouble}: starting it again")
                    self._launch(component)
                    fresh.add(name)
                    patience[name] = time.monotonic() + START_SECONDS
            time.sleep(0.2)

    def _trouble(self, component: Component) -> str | None:
        started = self.programs.running(component.name)
        if started is None:
            raise ComponentFailed(component.name, f"{component.name} ended by itself. {self._end_of_log(component.name)}")
        return component.probe(started)

    def _end_of_log(self, name: str) -> str:
        log = self.programs.log(name)
        lines = log.read_text(errors="replace").splitlines()[-15:]
        return "\n  ".join([f"The end of {log}:", *lines])

    def _lost_its_port(self, name: str) -> bool:
        mine = [port for port, listener in LISTENERS.items() if listener == name]
        return not self.programs.running(name) and any(not is_free(self.ports[port]) for port in mine)

    def _components(self, names: Iterable[str]) -> list[Component]:
        ports, secrets = self.ports, self.credentials
        built = []
        if "trino" in names:
            built.append(trino_component(self.home, ports["trino"], self._trino_catalogs))
        if "pinecone" in names:
            built.append(pinecone_component(self.home, ports["pinecone"], secrets))
        if any(name in COMMANDS for name in names):
            built += [part for part in airflow_components(self.environment(), ports["airflow"]) if part.name in names]
        return built

    def _remembered_ports(self) -> dict[str, dict[str, int]]:
        path = self.home / "ports.json"
        return json.loads(path.read_text()) if path.exists() else {}


def _checked(names: Iterable[str]) -> list[str]:
    wanted = set(names)
    if unknown := wanted - set(COMPONENTS):
        raise StackError(f"No component is called {', '.join(sorted(unknown))}: there are {', '.join(COMPONENTS)}.")
    return [name for name in COMPONENTS if name in wanted]
