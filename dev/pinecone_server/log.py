"""The append-only log of a namespace: an acknowledged write is on the disk, and a torn last entry is one that nobody was told about."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

from dev.pinecone_server.changes import FRAME, Change, decode


class BrokenLog(Exception):
    """A log has bytes in its middle that this server did not write."""


class Log:
    """Entries of one namespace in the order of their log sequence numbers. Not safe for two threads at once."""

    def __init__(self, path: Path, dimension: int) -> None:
        self.path = path
        self.dimension = dimension
        self.size = path.stat().st_size if path.exists() else 0
        self._descriptor: int | None = None

    def entries(self) -> Iterator[tuple[int, Change]]:
        """Yield each log sequence number and its change, and cut off the half of an entry that a killed server left at the end.

        Raises BrokenLog if a damaged entry has others behind it.
        """
        if not self.path.exists():
            return
        whole = 0
        with self.path.open("rb") as stream:
            while (frame := stream.read(FRAME.size)) and len(frame) == FRAME.size:
                length, checksum = FRAME.unpack(frame)
                payload = stream.read(length)
                if len(payload) < length or crc32(payload) != checksum:
                    if stream.read(1):
                        raise BrokenLog(f"{self.path} is damaged at byte {whole}: delete the namespace's file, or the whole home folder.")
                    break
                whole += FRAME.size + length
                yield decode(payload, self.dimension)
        if whole < self.size:
            os.truncate(self.path, whole)
            self.size = whole

    def append(self, lsn: int, change: Change, *, sync: bool = True) -> None:
        """Write a change and, unless told otherwise, wait until the disk has it. On an error the log is as before."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        entry = memoryview(change.encode(lsn))
        try:
            written = 0
            while written < len(entry):
                written += os.write(self._descriptor, entry[written:])
            if sync:
                os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(entry)

    def rewrite(self, lsn: int, changes: Iterable[Change]) -> None:
        """Replace all entries by fewer that lead to the same records, in one step."""
        scratch = self.path.with_suffix(".rewrite")
        scratch.unlink(missing_ok=True)
        fresh = Log(scratch, self.dimension)
        for change in changes:
            fresh.append(lsn, change, sync=False)
        # The last one carries the number, also where no record is left, and waits for the disk.
        fresh.append(lsn, Change())
        fresh.close()
        self.close()
        scratch.replace(self.path)
        self.size = fresh.size

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
