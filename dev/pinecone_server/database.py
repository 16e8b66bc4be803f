"""The file of the server: an SQLite database in which a committed transaction survives a killed server and a lost power."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock

import numpy as np
import orjson

from dev.pinecone_server.errors import Code, Refusal
from dev.pinecone_server.records import Change

SQL = {path.stem: path.read_text() for path in (Path(__file__).parent / "sql").glob("*.sql")}
ROWS_AT_ONCE = 1000
# Log pages before they are copied into the database: fewer copies of the same page, for a log of some 32 MiB.
PAGES_IN_LOG = 8000

# Where an entry stands in the catalog: its index's host_id, its kind and its name.
Place = tuple[str, str, str]


class Database:
    """Catalog, records and log sequence numbers in `pinecone.db`. One connection writes; each load of a namespace reads through its own."""

    def __init__(self, home: Path) -> None:
        self._path = home / "pinecone.db"
        # Only its owner may read the records; SQLite gives its log the same mode.
        self._path.touch(mode=0o600)
        self._lock = Lock()
        self._writer = self._connected()
        self._writer.execute("pragma journal_mode = wal")
        # FULL waits at every commit until the log is on the disk; SQLite's default in this mode does so only now and then.
        self._writer.execute("pragma synchronous = full")
        self._writer.execute(f"pragma wal_autocheckpoint = {PAGES_IN_LOG}")
        with self._writing() as connection:
            for name in ("create_catalog", "create_records", "create_positions"):
                connection.execute(SQL[name])

    def catalog(self) -> list[tuple[Place, str]]:
        """Return the entries of the catalog with their fields as JSON, an index before what belongs to it."""
        with closing(self._connected()) as connection:
            return [((host_id, kind, name), fields) for host_id, kind, name, fields in connection.execute(SQL["read_catalog"])]

    def change_catalog(self, put: dict[Place, str], gone: Iterable[Place]) -> None:
        """Put and delete entries of the catalog, all or none of them."""
        with self._writing() as connection:
            connection.executemany(SQL["delete_entry"], gone)
            connection.executemany(SQL["put_entry"], ((*place, fields) for place, fields in put.items()))

    def positions(self) -> dict[int, int]:
        """Return the log sequence number of the last write to each namespace that was ever written to and not dropped, by its key."""
        with closing(self._connected()) as connection:
            return dict(connection.execute(SQL["read_positions"]))

    def records(self, key: int, dimension: int) -> Iterator[Change]:
        """Yield changes that together put all records of a namespace."""
        with closing(self._connected()) as connection:
            found = connection.execute(SQL["read_records"], [key])
            while rows := found.fetchmany(ROWS_AT_ONCE):
                ids, vectors, metadata = zip(*rows, strict=True)
                matrix = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(-1, dimension)
                yield Change(list(ids), matrix, [orjson.loads(text) for text in metadata])

    def write(self, key: int, lsn: int, change: Change) -> None:
        """Make a change to a namespace under its log sequence number, and wait until the disk has it.

        Raises Refusal if the disk does not take it; then the namespace is as before.
        """
        with self._writing() as connection:
            if change.clear:
                connection.execute(SQL["delete_records"], [key])
            if change.vectors is None:
                connection.executemany(SQL["delete_record"], ((key, record) for record in change.ids))
            else:
                blobs = map(np.ndarray.tobytes, np.asarray(change.vectors, dtype="<f4"))
                texts = (orjson.dumps(fields).decode() for fields in change.metadata)
                rows = zip(change.ids, blobs, texts, strict=True)
                connection.executemany(SQL["put_record"], ((key, *row) for row in rows))
            connection.execute(SQL["put_position"], [key, lsn])

    def drop(self, keys: Iterable[int]) -> None:
        """Delete namespaces that are in no catalog any more. What a full disk keeps of them, the next start deletes."""
        with suppress(Refusal), self._writing() as connection:
            for key in keys:
                connection.execute(SQL["delete_records"], [key])
                connection.execute(SQL["delete_position"], [key])

    def close(self) -> None:
        """Copy the log into the database and close it; no write is possible any more."""
        with self._lock:
            self._writer.close()

    def _connected(self) -> sqlite3.Connection:
        # The lock keeps the threads apart that share the writing connection.
        return sqlite3.connect(self._path, isolation_level="IMMEDIATE", check_same_thread=False)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                with self._writer:
                    yield self._writer
            except sqlite3.OperationalError as error:
                raise _unwritten(error) from error


def _unwritten(error: sqlite3.OperationalError) -> Refusal:
    if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return Refusal(Code.INSUFFICIENT_STORAGE, "The disk of this development server is full: nothing was written. Free some space.")
    return Refusal(Code.INTERNAL, f"The disk of this development server failed, nothing was written: {error} ({error.sqlite_errorname})")
