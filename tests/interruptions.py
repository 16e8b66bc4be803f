"""A lake in whose midst something happens: before a statement is run, or before or after a commit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import TableRequirement, TableUpdate

from dev.stack import Stack
from dev.stack.catalog import CATALOG_NAME, catalog_properties
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.sql import Row, SqlEngine

Action = Callable[[], Any]
Watch = Callable[[str, str], Any]


@dataclass
class InterruptedEngine:
    """A SQL engine that calls an action once, right before it runs the statement of a path."""

    engine: SqlEngine
    path: str
    action: Action | None
    name: str = "trino"

    def rows(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> list[Row]:
        return self._before(path).rows(path, binds, **names)

    def row(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> Row:
        return self._before(path).row(path, binds, **names)

    def execute(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> int:
        return self._before(path).execute(path, binds, **names)

    def stream(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> Iterator[Row]:
        return self._before(path).stream(path, binds, **names)

    def _before(self, path: str) -> SqlEngine:
        if path == self.path and self.action:
            action, self.action = self.action, None
            action()
        return self.engine


@dataclass
class WatchedEngine:
    """A SQL engine that tells `watch` the moment (`before`, `after`) and the path of every statement."""

    engine: SqlEngine
    watch: Watch

    @property
    def name(self) -> str:
        return self.engine.name

    def rows(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> list[Row]:
        return self._watched(path, lambda: self.engine.rows(path, binds, **names))

    def row(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> Row:
        return self._watched(path, lambda: self.engine.row(path, binds, **names))

    def execute(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> int:
        return self._watched(path, lambda: self.engine.execute(path, binds, **names))

    def stream(self, path: str, binds: Sequence[Any] = (), **names: int | str) -> Iterator[Row]:
        return iter(self.rows(path, binds, **names))

    def _watched(self, path: str, run: Callable[[], Any]) -> Any:
        self.watch("before", path)
        answer = run()
        self.watch("after", path)
        return answer


@dataclass
class Moments:
    """Lets an action happen at the moment of that number, counted over the commits and statements of a lake that is watched."""

    number: int
    action: Action
    seen: list[str] = field(default_factory=list)

    def __call__(self, moment: str, name: str) -> None:
        self.seen.append(f"{moment} {name}")
        if len(self.seen) == self.number:
            self.action()

    @property
    def is_reached(self) -> bool:
        return len(self.seen) >= self.number

    @property
    def name(self) -> str:
        """The moment in which the action happened."""
        return f"{self.number}: {self.seen[self.number - 1]}"

    def watched(self, lake: Lake, stack: Stack) -> Lake:
        """The lake of whoever is interrupted."""
        return Lake(watched_catalog(stack, self), WatchedEngine(lake.sql, self))


class WatchedCatalog(SqlCatalog):
    """A catalog that tells `watch` the moment (`before`, `after`) and the table of every commit."""

    watch: Watch = staticmethod(lambda moment, table: None)

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        name = ".".join(table.name())
        self.watch("before", name)
        answer = super().commit_table(table, requirements, updates)
        self.watch("after", name)
        return answer


def interrupted_at_statement(lake: Lake, path: str, action: Action) -> Lake:
    """The lake of a try in whose midst `action` happens, right before the statement of that path."""
    return Lake(lake.catalog, InterruptedEngine(lake.sql, path, action))


def interrupted_at_commit(lake: Lake, stack: Stack, table: str, action: Action, number: int = 1) -> Lake:
    """The lake of a try in whose midst `action` happens, right before its `number`th commit to a table."""
    waiting = [number]

    def watch(moment: str, name: str) -> None:
        if (moment, name) == ("before", table):
            waiting[0] -= 1
            if waiting[0] == 0:
                action()

    return Lake(watched_catalog(stack, watch), lake.sql)


def watched_catalog(stack: Stack, watch: Watch) -> WatchedCatalog:
    """A catalog of its own connection over the stack's tables."""
    catalog = WatchedCatalog(CATALOG_NAME, **catalog_properties(stack.home))
    catalog.watch = watch
    return catalog


class Killed(BaseException):
    """The process is gone."""


def killed_at_commit(lake: Lake, stack: Stack, table: str, number: int = 1) -> Lake:
    """The lake of a process that is killed right before its `number`th commit to a table."""

    def kill() -> None:
        raise Killed

    return interrupted_at_commit(lake, stack, table, kill, number)
