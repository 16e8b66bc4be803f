"""Files that are fetched before they are asked for."""

import threading
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

import pytest

from embedding_lakehouse.clients.sources import Tally
from embedding_lakehouse.clients.sources.ahead import FETCHES, SMALL_FILE, AheadSource
from embedding_lakehouse.core.documents import Rejected
from embedding_lakehouse.core.listing import ListedFile

MOST = 10_000_000


class MemorySource:
    """A source of files in memory that notes what is read, and by which thread."""

    uri = "memory://"

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.reads: list[str] = []
        self.threads: set[int] = set()

    def files(self, tally: Tally) -> Iterator[ListedFile]:
        return (ListedFile(path, len(content), None, "") for path, content in self.contents.items())

    def read(self, path: str, most_bytes: int) -> bytes:
        self.reads.append(path)
        self.threads.add(threading.get_ident())
        if path not in self.contents:
            raise Rejected("unreadable", f"{path} is gone")
        return self.contents[path][:most_bytes]

    def open(self, path: str) -> BinaryIO:
        return BytesIO(self.contents[path])


def listed(source: MemorySource) -> list[ListedFile]:
    return list(source.files(Tally()))


def test_every_file_comes_back_whole_and_is_read_once() -> None:
    source = MemorySource({f"{number:03}.md": b"x" * number for number in range(100)})
    with AheadSource(source, listed(source), MOST) as ahead:
        contents = {file.path: ahead.read(file.path, MOST) for file in listed(source)}
    assert contents == source.contents
    assert sorted(source.reads) == sorted(source.contents)
    assert threading.get_ident() not in source.threads


def test_no_more_than_the_next_few_are_fetched() -> None:
    source = MemorySource({f"{number:03}.md": b"x" for number in range(100)})
    with AheadSource(source, listed(source), MOST) as ahead:
        ahead.read("000.md", MOST)
    assert set(source.reads) <= {f"{number:03}.md" for number in range(FETCHES)}


def test_large_files_and_files_of_rows_are_read_when_their_turn_comes() -> None:
    source = MemorySource({"a.csv": b"id,text\n", "b.pdf": b"x" * (SMALL_FILE + 1), "c.md": b"c"})
    with AheadSource(source, listed(source), MOST) as ahead:
        assert ahead.open("a.csv").read() == b"id,text\n"
        assert ahead.read("c.md", MOST) == b"c"
    assert source.reads == ["c.md"]


def test_files_that_nobody_asks_for_do_not_stop_the_others() -> None:
    source = MemorySource({f"{number:03}.md": b"x" for number in range(100)})
    with AheadSource(source, listed(source), MOST) as ahead:
        assert [ahead.read(f"{number:03}.md", MOST) for number in range(20, 100)] == [b"x"] * 80


def test_an_error_comes_when_its_file_is_asked_for() -> None:
    source = MemorySource({"a.md": b"a"})
    with AheadSource(source, [*listed(source), ListedFile("gone.md", 1, None, "")], MOST) as ahead:
        assert ahead.read("a.md", MOST) == b"a"
        with pytest.raises(Rejected, match=r"gone\.md is gone"):
            ahead.read("gone.md", MOST)


def test_a_file_that_grew_is_not_cut_without_a_word() -> None:
    source = MemorySource({"a.md": b"x" * (3 * SMALL_FILE)})
    with AheadSource(source, [ListedFile("a.md", 1, None, "")], MOST) as ahead:
        assert len(ahead.read("a.md", MOST)) == 3 * SMALL_FILE
