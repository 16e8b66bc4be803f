"""How the server starts, and when it does not."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration.pinecone_server.conftest import API_KEY, ROOT, Server


def refused(*arguments: str, **environment: str) -> tuple[int, str]:
    """The exit code and the error of a server that does not start."""
    command = [sys.executable, "-m", "dev.pinecone_server", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - somebody else's server may listen everywhere
def test_a_taken_port_ends_it_with_a_message(tmp_path: Path, address: str):
    with socket.socket() as other:
        other.bind((address, 0))
        other.listen()
        code, error = refused("--port", str(other.getsockname()[1]), "--home", str(tmp_path), PINECONE_API_KEY=API_KEY)

    assert code == 1
    assert "Cannot listen on 127.0.0.1" in error


def test_a_home_in_use_ends_it_with_a_message(lasting: Server):
    code, error = refused("--port", "0", "--home", str(lasting.home), PINECONE_API_KEY=API_KEY)

    assert code == 1
    assert "Another server uses" in error


def test_a_damaged_database_ends_it_with_a_message(tmp_path: Path):
    (tmp_path / "pinecone.db").write_bytes(b"no database " * 1000)
    code, error = refused("--port", "0", "--home", str(tmp_path), PINECONE_API_KEY=API_KEY)

    assert code == 1
    assert f"Cannot read {tmp_path / 'pinecone.db'}: file is not a database" in error


def test_without_a_key_it_does_not_start(tmp_path: Path):
    code, error = refused("--port", "0", "--home", str(tmp_path), PINECONE_API_KEY="")

    assert code == 1
    assert "PINECONE_API_KEY" in error


def test_the_key_in_the_environment_is_not_in_the_list_of_processes(server: Server):
    assert API_KEY not in " ".join(psutil.Process(server.process.pid).cmdline())
    assert server.client().list_indexes() is not None


def test_it_listens_on_the_loopback_alone(server: Server):
    listening = [each.laddr.ip for each in psutil.Process(server.process.pid).net_connections() if each.status == psutil.CONN_LISTEN]

    assert listening == ["127.0.0.1"]


def test_it_says_that_it_is_for_development_only(server: Server):
    assert "for development and tests only" in server.said[0]


def test_the_route_for_faults_exists_only_when_asked_for(server: Server, faulty: Server):
    key = {"Api-Key": API_KEY}

    assert httpx.get(f"{server.url}/faults", headers=key).status_code == 404
    assert httpx.get(f"{faulty.url}/faults", headers=key).status_code == 200


def test_faults_that_make_no_sense_end_it_with_a_message(tmp_path: Path):
    code, error = refused(
        "--port", "0", "--home", str(tmp_path), "--faults", '{"rules": [{"kind": "earthquake"}]}', PINECONE_API_KEY=API_KEY
    )

    assert code == 1
    assert "'earthquake' is not a fault" in error


def test_files_of_others_in_the_home_folder_are_left_alone(tmp_path: Path):
    (tmp_path / "indexes" / "mine").mkdir(parents=True)
    (tmp_path / "indexes" / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "notes.log").write_text("mine")

    Server(tmp_path).end()

    assert (tmp_path / "indexes" / "mine" / "notes.txt").exists()
    assert (tmp_path / "notes.log").exists()
