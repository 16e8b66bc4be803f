"""A folder of this machine as a source of documents. Links that leave the folder are never followed.

Walked with `os.scandir` and not through Airflow's object storage, whose listing hides links and unreadable folders.
"""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from embedding_lakehouse.clients.sources import Tally
from embedding_lakehouse.core.documents import Rejected
from embedding_lakehouse.core.listing import ListedFile, is_hidden, is_wanted
from embedding_lakehouse.errors import ConfigurationError, quoted

EPOCH = datetime.fromtimestamp(0, UTC)
Found = os.DirEntry[str]


class FolderSource:
    """A local folder, by its absolute path or `file://` address."""

    def __init__(self, source: str, pattern: str = "*") -> None:
        folder = source.removeprefix("file://")
        if not Path(folder).is_absolute():
            raise ConfigurationError(f"the source {quoted(source)} is a relative path: set the Param source to an absolute one")
        self.folder = os.path.normpath(folder)
        self.uri = f"file://{self.folder}"
        self.pattern = pattern
        self._real = os.path.realpath(self.folder)

    def files(self, tally: Tally) -> Iterator[ListedFile]:
        if not Path(self.folder).is_dir():
            raise ConfigurationError(f"the source folder {self.folder} does not exist: create it, or set the Param source to another one")
        folders = [""]
        while folders:
            prefix = folders.pop()
            try:
                entries = list(os.scandir(f"{self.folder}/{prefix}"))
            except OSError as error:
                if not prefix:
                    raise ConfigurationError(f"the source folder {self.folder} may not be listed ({error.strerror}): allow it") from error
                tally.is_complete = False
                yield _problem(prefix, "unreadable", f"the folder may not be listed ({error.strerror}): allow it to this user")
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name) and _is_utf8(entry.name):
                    folders.append(f"{prefix}{entry.name}/")
                elif (file := self._looked_at(entry, f"{prefix}{entry.name}")) is not None:
                    yield file
                else:
                    tally.ignored += 1

    def _looked_at(self, entry: Found, path: str) -> ListedFile | None:
        """The entry as `_listed` finds it; what cannot even be looked at, such as a link to itself, is a problem like any other."""
        try:
            return self._listed(entry, path)
        except FileNotFoundError:
            return None
        except OSError as error:
            name = os.fsencode(path).decode(errors="backslashreplace")
            return _problem(name, "unreadable", f"it cannot be looked at ({error.strerror}): allow it to this user, or remove it")

    def _listed(self, entry: Found, path: str) -> ListedFile | None:
        """The entry as a file, a problem that a person should see, or nothing."""
        if is_hidden(entry.name):
            return None
        if not _is_utf8(entry.name):
            name = os.fsencode(path).decode(errors="backslashreplace")
            return _problem(name, "bad_id", "its name is not UTF-8: rename it") if entry.is_dir() or is_wanted(name, self.pattern) else None
        if entry.is_symlink():
            return self._linked(entry, path)
        return self._regular(entry, path)

    def _linked(self, entry: Found, path: str) -> ListedFile | None:
        is_folder = entry.is_dir()
        if not is_folder and not is_wanted(path, self.pattern):
            return None
        target = os.path.realpath(entry.path)
        if not Path(target).exists():
            return _problem(path, "unreadable", "it is a link to something that does not exist: remove the link")
        if not self._holds(target):
            return _problem(
                path, "outside", "it is a link that leaves the source folder, which is not followed: copy the file into the folder"
            )
        # A folder inside is listed under its own name, and a link to it may be a circle.
        return None if is_folder else self._regular(entry, path)

    def _regular(self, entry: Found, path: str) -> ListedFile | None:
        if not is_wanted(path, self.pattern) or not entry.is_file():
            return None
        found = entry.stat()
        # The change time shows an edit that put the modification time back (cp -p, rsync, touch -r).
        return ListedFile(path, found.st_size, _moment(found.st_mtime_ns), f"{found.st_ctime_ns:x}")

    def read(self, path: str, most_bytes: int) -> bytes:
        try:
            with self.open(path) as file:
                return file.read(most_bytes)
        except OSError as error:
            raise _unreadable(error) from error

    def open(self, path: str) -> BinaryIO:
        real = os.path.realpath(f"{self.folder}/{path}")
        if not self._holds(real):
            raise Rejected("outside", "it has become a link that leaves the source folder: copy the file into the folder")
        try:
            return os.fdopen(_opened(self._real, os.path.relpath(real, self._real)), "rb")
        except OSError as error:
            raise _unreadable(error) from error

    def _holds(self, target: str) -> bool:
        return f"{target}/".startswith(f"{self._real.rstrip('/')}/")


def _opened(folder: str, path: str) -> int:
    """A descriptor of the regular file, opened folder by folder without following a link that somebody put there meanwhile.

    Raises OSError for a link, Rejected for a pipe or device, which could make the reader wait for ever.
    """
    *folders, name = path.split("/")
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for each in folders:
            outer, inside = inside, os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=inside)
            os.close(outer)
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=inside)
    finally:
        os.close(inside)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Rejected("unreadable", "it has become something else than a file: remove it")
    return file


def _problem(path: str, code: str, sentence: str) -> ListedFile:
    return ListedFile(path, 0, None, code, sentence)


def _unreadable(error: OSError) -> Rejected:
    return Rejected("unreadable", f"it cannot be read ({error.strerror}): allow it to this user, or remove it")


def _moment(nanoseconds: int) -> datetime | None:
    try:
        return EPOCH + timedelta(microseconds=nanoseconds // 1_000)
    except OverflowError:
        return None


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
