"""What an installation of the local stack keeps in its home folder: secrets, ports, locks."""

import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.files import locked
from dev.stack import Stack, StackError, credentials
from dev.stack.ports import HOST, free_port, is_free


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_secrets_are_kept(tmp_path: Path) -> None:
    assert credentials(tmp_path) == credentials(tmp_path)


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    one, other = credentials(tmp_path / "one"), credentials(tmp_path / "other")
    assert not set(vars(one).values()) & set(vars(other).values())


def test_only_the_owner_can_read_the_secrets(tmp_path: Path) -> None:
    credentials(tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_the_jwt_secret_is_long_enough_for_airflow(tmp_path: Path) -> None:
    assert len(credentials(tmp_path).airflow_jwt_secret) == 64


def test_damaged_secrets_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(StackError, match=r"secrets\.json is damaged"):
        credentials(tmp_path)


def test_a_port_that_somebody_listens_on_is_not_free(taken_port: int) -> None:
    assert not is_free(taken_port)


def test_a_taken_port_gives_way_to_a_later_one(taken_port: int) -> None:
    assert free_port(taken_port) > taken_port


def test_ports_once_chosen_stay(tmp_path: Path) -> None:
    first, second = Stack(tmp_path), Stack(tmp_path)
    first.choose_ports()
    second.choose_ports()
    assert first.ports == second.ports


def test_a_remembered_port_that_was_taken_meanwhile_is_chosen_anew(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.choose_ports()
    lost = stack.ports["trino"]
    with socket.socket() as server:
        server.bind((HOST, lost))
        server.listen()
        stack.choose_ports()
    assert stack.ports["trino"] != lost


def test_a_new_preference_moves_the_port(tmp_path: Path) -> None:
    Stack(tmp_path).choose_ports()
    wanted = free_port(0)
    stack = Stack(tmp_path, preferred={"trino": wanted, "pinecone": 0, "airflow": 0})
    stack.choose_ports()
    assert stack.ports["trino"] == wanted


def test_a_stack_never_started_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="make up"):
        Stack(tmp_path).environment()


def test_an_unknown_component_is_an_error_that_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"spark.*trino, pinecone"):
        Stack(tmp_path).start(["spark"])


def test_a_lock_leaves_no_file(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        assert (tmp_path / "lock").exists()
    assert not (tmp_path / "lock").exists()


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    holder = "import os, sys, pathlib\nfrom dev.files import locked\nwith locked(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", holder, str(tmp_path / "lock")], check=False)
    waits: list[bool] = []
    with locked(tmp_path / "lock", lambda: waits.append(True)):
        assert waits == []


COUNT_UP = """
import pathlib, sys, time
from dev.files import locked

folder = pathlib.Path(sys.argv[1])
for _ in range(30):
    with locked(folder / "lock"):
        count = int((folder / "count").read_text())
        time.sleep(0.001)
        (folder / "count").write_text(str(count + 1))
"""


def test_one_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    workers = [subprocess.Popen([sys.executable, "-c", COUNT_UP, str(tmp_path)]) for _ in range(3)]
    for one in workers:
        one.wait()
    assert (tmp_path / "count").read_text() == "90"
