"""The append-only log of the development Pinecone server."""

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dev.pinecone_server.changes import Change
from dev.pinecone_server.log import BrokenLog, Log
from dev.pinecone_server.namespace import Namespace
from dev.pinecone_server.versions import Visibility


def put(name: str) -> Change:
    return Change([name], np.array([[1.0, 2.0]], dtype=np.float32), [{"name": name}])


def entries(path: Path) -> list[tuple[int, list[str]]]:
    return [(lsn, change.ids) for lsn, change in Log(path, 2).entries()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of three entries."""
    log = Log(tmp_path / "ns.log", 2)
    for number, name in enumerate("abc", 1):
        log.append(number, put(name))
    log.close()
    return log.path


def test_entries_are_read_as_they_were_written(path: Path):
    ((_, change), *_) = Log(path, 2).entries()

    assert entries(path) == [(1, ["a"]), (2, ["b"]), (3, ["c"])]
    assert (change.vectors.tolist(), change.metadata) == ([[1.0, 2.0]], [{"name": "a"}])


def test_a_log_cut_at_any_byte_loses_only_the_entry_it_cuts(path: Path):
    whole = path.read_bytes()
    each = len(whole) // 3

    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert [lsn for lsn, _ in entries(path)] == [1, 2, 3][: length // each]
        assert path.stat().st_size == length // each * each


def test_an_append_after_a_cut_follows_the_last_whole_entry(path: Path):
    path.write_bytes(path.read_bytes()[:-1])
    log = Log(path, 2)
    assert [lsn for lsn, _ in log.entries()] == [1, 2]

    log.append(3, put("d"))

    assert entries(path) == [(1, ["a"]), (2, ["b"]), (3, ["d"])]


def test_a_damaged_entry_with_others_behind_it_is_refused(path: Path):
    damaged = bytearray(path.read_bytes())
    damaged[20] ^= 0xFF
    path.write_bytes(damaged)

    with pytest.raises(BrokenLog, match="damaged at byte 0"):
        entries(path)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process can grow beyond 4,096 bytes, as on a full disk."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_the_disk_has_no_room_for_leaves_nothing(path: Path, small_files: None):
    log = Log(path, 2)

    with pytest.raises(OSError, match="too large"):
        log.append(4, Change([str(number) for number in range(1000)], np.ones((1000, 2), dtype=np.float32), [{}] * 1000))
    log.append(4, put("d"))

    assert [lsn for lsn, _ in entries(path)] == [1, 2, 3, 4]


def test_a_rewritten_log_leads_to_the_same_records_in_fewer_bytes(tmp_path: Path):
    log = Log(tmp_path / "ns.log", 2)
    namespace = Namespace(log, Visibility())
    batch = Change([str(number) for number in range(1000)], np.ones((1000, 2), dtype=np.float32), [{}] * 1000)
    for _ in range(60):
        lsn = namespace.write(lambda _: batch)

    again = Namespace(Log(tmp_path / "ns.log", 2), Visibility())

    assert again.read(len) == (1000, lsn)
    assert log.size < 30 * len(batch.encode(1))


def test_a_cleared_and_rewritten_namespace_keeps_its_number(tmp_path: Path):
    log = Log(tmp_path / "ns.log", 2)
    log.append(1, put("a"))
    log.rewrite(7, [])

    assert entries(log.path) == [(7, [])]
