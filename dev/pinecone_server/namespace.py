"""A namespace: its log on the disk, and its records in memory while somebody uses them."""

import time
from collections.abc import Callable
from threading import RLock
from typing import TypeVar

from dev.pinecone_server.changes import Change
from dev.pinecone_server.log import Log
from dev.pinecone_server.records import Records
from dev.pinecone_server.versions import Versions, Visibility

T = TypeVar("T")

# A log is rewritten once it holds this many records more than twice those that live.
REWRITE_SLACK = 20_000


class NamespaceGone(Exception):
    """The namespace was deleted between the moment it was found and the moment it was used."""


class Namespace:
    """Every write and every read happens under one lock, so that each sees the records between two writes."""

    def __init__(self, log: Log, visibility: Visibility) -> None:
        self.used_at = 0.0
        self._lock = RLock()
        self._log = log
        self._visibility = visibility
        self._versions: Versions | None = None
        self._logged_records = 0
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
                self._log.append(versions.lsn + 1, change)
                versions.commit(change, self._visibility.delay_s)
                self._logged_records += len(change.ids)
                self._shorten(versions)
            return versions.lsn

    @property
    def bytes_on_disk(self) -> int:
        """Return the size of the log in bytes."""
        return self._log.size

    @property
    def bytes_in_memory(self) -> int:
        """Return about how many bytes the loaded records take: their vectors, and the log's size for the rest."""
        versions = self._versions
        return versions.committed.bytes + self._log.size if versions else 0

    def unload(self) -> None:
        """Drop the records from memory, unless readers still wait for some of them. The next use loads them again."""
        with self._lock:
            if self._versions and self._versions.is_settled:
                self._versions = None
                self._log.close()

    def drop(self) -> None:
        """End the namespace and delete its log; who still reads it finds nothing."""
        with self._lock:
            self._gone = True
            self._versions = Versions(Records(self._log.dimension), 0)
            self._log.close()
            self._log.path.unlink(missing_ok=True)

    def _loaded(self) -> Versions:
        self.used_at = time.monotonic()
        if self._versions is None:
            self._versions = self._replayed()
        self._versions.settle()
        return self._versions

    def _replayed(self) -> Versions:
        records, last, self._logged_records = Records(self._log.dimension), 0, 0
        for lsn, change in self._log.entries():
            records.apply(change)
            last = lsn
            self._logged_records += len(change.ids)
        return Versions(records, last)

    def _shorten(self, versions: Versions) -> None:
        if self._logged_records > 2 * len(versions.committed) + REWRITE_SLACK:
            self._log.rewrite(versions.lsn, versions.committed.changes())
            self._logged_records = len(versions.committed)
