"""Fetch the next few small files of a shard while one is parsed: an object costs tens of milliseconds of waiting each."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from embedding_lakehouse.clients.sources import Source, Tally
from embedding_lakehouse.core.listing import ROW_TYPES, ListedFile, media_type

FETCHES = 8
# Files that are fetched ahead: at most FETCHES of them, so at most 16 MB.
SMALL_FILE = 2_000_000


class AheadSource:
    """A source whose files are read in a known order. Errors come when their file is read, as from the source itself."""

    def __init__(self, source: Source, files: list[ListedFile], most_bytes: int) -> None:
        self.uri = source.uri
        self._source = source
        self._most_bytes = most_bytes
        self._coming = deque(file.path for file in files if _is_fetched(file))
        self._fetched: dict[str, Future[bytes]] = {}
        self._threads = ThreadPoolExecutor(FETCHES, "fetch")

    def __enter__(self) -> "AheadSource":
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def files(self, tally: Tally) -> Iterator[ListedFile]:
        return self._source.files(tally)

    def read(self, path: str, most_bytes: int) -> bytes:
        while len(self._fetched) < FETCHES and self._coming:
            following = self._coming.popleft()
            self._fetched[following] = self._threads.submit(self._source.read, following, self._most_bytes)
        if path not in self._fetched:
            return self._source.read(path, most_bytes)
        # Files before it were rejected by their name alone and never asked for.
        while (passed := next(iter(self._fetched))) != path:
            del self._fetched[passed]
        return self._fetched.pop(path).result()[:most_bytes]

    def open(self, path: str) -> BinaryIO:
        return self._source.open(path)


def _is_fetched(file: ListedFile) -> bool:
    return not file.problem and file.size_bytes <= SMALL_FILE and media_type(file.path) not in ROW_TYPES
