"""A namespace: its records in the database, and in memory while somebody uses them."""

import time
from collections.abc import Callable
from threading import RLock
from typing import TypeVar

from dev.pinecone_server.database import Database
from dev.pinecone_server.records import Change, Records
from dev.pinecone_server.versions import Versions, Visibility

T = TypeVar("T")


class NamespaceGone(Exception):
    """The namespace was deleted between the moment it was found and the moment it was used."""


class Namespace:
    """Every write and every read happens under one lock, so that each sees the records between two writes."""

    def __init__(self, database: Database, key: int, dimension: int, visibility: Visibility) -> None:
        self.used_at = 0.0
        self._lock = RLock()
        self._database = database
        self._key = key
        self._dimension = dimension
        self._visibility = visibility
        self._versions: Versions | None = None
        self._gone = False

    def read(self, view: Callable[[Records], T]) -> tuple[T, int]:
        """Return what the function makes of the visible records, and the log sequence number up to which they are."""
        with self._lock:
            versions = self._loaded()
            return view(versions.visible), versions.visible_lsn

    def write(self, plan: Callable[[Records], Change | None]) -> int:
        """Ask the function for a change to the committed records, put it on the disk and return its log sequence number.

        A function that returns None writes nothing; the number is then the last one. Raises NamespaceGone after a delete.
        """
        with self._lock:
            if self._gone:
                raise NamespaceGone
            versions = self._loaded()
            change = plan(versions.committed)
            if change is not None:
                self._database.write(self._key, versions.lsn + 1, change)
                versions.commit(change, self._visibility.delay_s)
            return versions.lsn

    @property
    def bytes_in_memory(self) -> int:
        """Return about how many bytes the loaded records take."""
        versions = self._versions
        return versions.committed.bytes_in_memory if versions else 0

    def unload(self) -> None:
        """Drop the records from memory, unless readers still wait for some of them. The next use loads them again."""
        with self._lock:
            if self._versions and self._versions.is_settled:
                self._versions = None

    def drop(self) -> None:
        """End the namespace and delete its records; who still reads it finds nothing."""
        with self._lock:
            self._gone = True
            self._versions = Versions(Records(self._dimension), 0)
            self._database.drop([self._key])

    def _loaded(self) -> Versions:
        self.used_at = time.monotonic()
        if self._versions is None:
            records = Records(self._dimension)
            for change in self._database.records(self._key, self._dimension):
                records.apply(change)
            self._versions = Versions(records, self._database.positions().get(self._key, 0))
        self._versions.settle()
        return self._versions
