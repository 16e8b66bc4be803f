"""The whole local stack, really started: what it reports, what it survives, what it leaves."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from dev.stack import COMPONENTS, Stack
from dev.stack.component import ROOT
from dev.stack.ports import HOST

DAGS = Path(__file__).parent / "stack_dags"


@pytest.fixture(scope="module")
def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A home for the whole stack, with the DAGs of these tests."""
    folder = tmp_path_factory.mktemp("whole")
    own = {"AIRFLOW__CORE__DAGS_FOLDER": str(DAGS), "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "no plugins")}
    with Stack(folder / "a home with spaces", settings=own) as stack:
        yield stack


@pytest.fixture
def running_stack(whole_stack: Stack) -> Stack:
    """The whole stack, brought up again where the test before killed some of it."""
    whole_stack.start()
    return whole_stack


def states(stack: Stack) -> dict[str, str]:
    return {one.name: one.state for one in stack.status()}


def pids(stack: Stack) -> dict[str, int | None]:
    return {one.name: one.pid for one in stack.status()}


def kill_leaders(stack: Stack, names: Iterable[str] = COMPONENTS) -> None:
    for name in names:
        started = stack.programs.running(name)
        assert started, f"{name} does not run"
        os.kill(started.pid, signal.SIGKILL)


def until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return met


def login(stack: Stack, password: str) -> httpx.Response:
    address = f"http://{HOST}:{stack.ports['airflow']}/auth/token"
    return httpx.post(address, json={"username": "admin", "password": password}, timeout=30)


def airflow_api(stack: Stack) -> httpx.Client:
    token = login(stack, stack.credentials.airflow_password).json()["access_token"]
    address = f"http://{HOST}:{stack.ports['airflow']}/api/v2/"
    return httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def hold_a_worker(stack: Stack) -> None:
    with airflow_api(stack) as api:
        assert until(lambda: api.get("dags/hold_slot").status_code == 200)
        run = api.post("dags/hold_slot/dagRuns", json={"logical_date": None}).json()["dag_run_id"]
        tasks = f"dags/hold_slot/dagRuns/{run}/taskInstances"
        assert until(lambda: api.get(tasks).json()["task_instances"][0]["state"] == "running")


def test_every_component_is_healthy_after_a_start(running_stack: Stack) -> None:
    assert states(running_stack) == dict.fromkeys(COMPONENTS, "healthy")


def test_a_second_start_leaves_every_component_alone(running_stack: Stack) -> None:
    before = pids(running_stack)
    Stack(running_stack.home, settings=running_stack.settings).start()
    assert pids(running_stack) == before


def test_nothing_listens_beyond_this_machine(running_stack: Stack) -> None:
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for member in running_stack.programs.members(COMPONENTS)
        for connection in member.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {HOST}


def test_airflow_opens_with_its_own_password(running_stack: Stack) -> None:
    assert login(running_stack, running_stack.credentials.airflow_password).status_code == 201


@pytest.mark.parametrize("password", ["admin", "airflow", ""])
def test_airflow_has_no_default_password(running_stack: Stack, password: str) -> None:
    assert login(running_stack, password).is_client_error


def test_airflow_tells_strangers_nothing(running_stack: Stack) -> None:
    assert httpx.get(f"http://{HOST}:{running_stack.ports['airflow']}/api/v2/dags").status_code == 401


def test_a_task_that_ran_under_a_killed_scheduler_is_ended_by_the_next_start(running_stack: Stack) -> None:
    hold_a_worker(running_stack)
    before = running_stack.programs.members(["airflow-scheduler"])
    kill_leaders(running_stack, ["airflow-scheduler"])
    running_stack.start(["airflow-scheduler"])
    assert not any(member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in before)


def test_killed_components_are_reported_and_brought_back(running_stack: Stack) -> None:
    kill_leaders(running_stack)
    reported = states(running_stack)
    running_stack.start()
    assert (set(reported.values()), set(states(running_stack).values())) == ({"dead"}, {"healthy"})


def test_stopping_with_a_task_at_work_leaves_no_process_and_no_lock(running_stack: Stack) -> None:
    hold_a_worker(running_stack)
    running_stack.stop()
    assert (running_stack.programs.members(COMPONENTS), list(running_stack.home.rglob("*.lock"))) == ([], [])


def command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    ports = {f"LAKEHOUSE_{name}_PORT": "0" for name in ("TRINO", "PINECONE", "AIRFLOW")}
    environment = {**os.environ, **ports, "LAKEHOUSE_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-m", "dev.stack", *arguments],
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_status_fails_where_a_component_does_not_run(own_home: Path) -> None:
    Stack(own_home).start(["pinecone"])
    status = command(own_home, "status")
    said, _ = status.communicate()
    assert (status.returncode, "pinecone" in said, "stopped" in said) == (1, True, True)


def test_two_starts_at_once_start_one_server(own_home: Path) -> None:
    starting = "import sys, pathlib; from dev.stack import Stack; Stack(pathlib.Path(sys.argv[1])).start(['pinecone'])"
    both = [subprocess.Popen([sys.executable, "-c", starting, str(own_home)], cwd=ROOT) for _ in range(2)]
    ended = [one.wait() for one in both]
    assert (ended, len(Stack(own_home).programs.members(["pinecone"]))) == ([0, 0], 1)


def test_a_start_after_a_reboot_takes_no_stranger_for_its_own(own_home: Path) -> None:
    stack = Stack(own_home)
    stack.start(["pinecone"])
    stack.stop(["pinecone"])
    stranger = psutil.Process().pid
    record = {"pid": stranger, "token": "0" * 16, "at": 0.0, "fingerprint": ""}
    (own_home / "state" / "pinecone.json").write_text(json.dumps(record))
    stack.start(["pinecone"])
    assert pids(stack)["pinecone"] not in {None, stranger}


def test_a_server_whose_port_was_taken_meanwhile_comes_up_on_another(own_home: Path) -> None:
    stack = Stack(own_home)
    stack.start(["pinecone"])
    stack.stop(["pinecone"])
    before = stack.ports["pinecone"]
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        somebody.bind((HOST, before))
        somebody.listen()
        stack.start(["pinecone"])
    assert (states(stack)["pinecone"], stack.ports["pinecone"] != before) == ("healthy", True)
