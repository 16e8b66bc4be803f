"""Programs of the local stack: found by their mark, ended with all that belongs to them."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from dev.stack.programs import Program, Programs

# Forks a child into a session of its own; both ignore TERM where asked to.
FAMILY = """
import os, signal, sys, time
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
time.sleep(600)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    found = Programs(tmp_path, tmp_path, term_seconds=0.3)
    yield found
    found.stop(["family", "other"])


def family(*arguments: str, name: str = "family") -> Program:
    return Program(name, (sys.executable, "-c", FAMILY, *arguments), {})


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_child_in_a_session_of_its_own_belongs_to_its_program(programs: Programs) -> None:
    programs.start(family())
    assert until(lambda: len(programs.members(["family"])) == 2)


def test_stopping_ends_the_leader_and_its_children(programs: Programs) -> None:
    programs.start(family())
    until(lambda: len(programs.members(["family"])) == 2)
    programs.stop(["family"])
    assert programs.members(["family"]) == []


def test_stopping_ends_programs_that_ignore_term(programs: Programs) -> None:
    programs.start(family("stubborn"))
    until(lambda: len(programs.members(["family"])) == 2)
    programs.stop(["family"])
    assert programs.members(["family"]) == []


def test_orphans_of_a_killed_leader_do_not_count_as_running(programs: Programs) -> None:
    started = programs.start(family())
    until(lambda: len(programs.members(["family"])) == 2)
    psutil.Process(started.pid).kill()
    assert until(lambda: programs.running("family") is None)


def test_a_new_start_ends_the_orphans_of_a_killed_leader(programs: Programs) -> None:
    started = programs.start(family())
    until(lambda: len(programs.members(["family"])) == 2)
    orphans = [one for one in programs.members(["family"]) if one.pid != started.pid]
    psutil.Process(started.pid).kill()
    programs.start(family())
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in orphans)


def test_a_recycled_pid_is_not_taken_for_the_program(programs: Programs, tmp_path: Path) -> None:
    started = programs.start(family())
    programs.stop(["family"])
    record = tmp_path / "state" / "family.json"
    record.write_text(json.dumps({**vars(started), "pid": os.getpid()}))
    assert programs.running("family") is None


def test_stopping_leaves_other_programs_alone(programs: Programs) -> None:
    programs.start(family())
    other = programs.start(family(name="other"))
    programs.stop(["family"])
    assert programs.running("other") == other


def test_stopping_leaves_the_same_program_of_another_home_alone(programs: Programs, tmp_path: Path) -> None:
    elsewhere = Programs(tmp_path / "elsewhere", tmp_path, term_seconds=0.3)
    started = elsewhere.start(family())
    programs.stop(["family"])
    survivor = elsewhere.running("family")
    elsewhere.stop(["family"])
    assert survivor == started


def test_a_program_started_with_another_environment_has_another_fingerprint() -> None:
    assert Program("one", ("true",), {"PORT": "1"}).fingerprint != Program("one", ("true",), {"PORT": "2"}).fingerprint


def test_what_a_program_says_is_in_its_log(programs: Programs) -> None:
    programs.start(Program("family", (sys.executable, "-c", "print('hello')"), {}))
    assert until(lambda: programs.log("family").read_text() == "hello\n")
