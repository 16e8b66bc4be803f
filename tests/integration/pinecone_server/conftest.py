"""A real server process on a free port, and indexes of their own for each test."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pinecone import Index, Pinecone, ServerlessSpec

ROOT = Path(__file__).parents[3]
API_KEY = "a-key-of-the-tests"
SERVERLESS = ServerlessSpec(cloud="aws", region="us-east-1")


class Server:
    """The server as a process over a home folder, which outlives it."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.home = home
        self._arguments = arguments
        self._environment = {**os.environ, "PINECONE_API_KEY": API_KEY, **environment}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "dev.pinecone_server", "--port", "0", "--home", str(self.home), *self._arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True)
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("Listening on "):
                self.url = line.removeprefix("Listening on ").split(",")[0]
                # Loading the certificates that plain HTTP has no use for takes longer than most tests.
                self._client = Pinecone(api_key=API_KEY, host=self.url, ssl_verify=False)
                return
        raise AssertionError(f"The server did not start: {self.said}")

    def end(self, by: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(by)
        self.process.wait()
        self.process.stdout.close()

    def restart(self, by: signal.Signals = signal.SIGTERM) -> None:
        self.end(by)
        self.start()

    def client(self) -> Pinecone:
        return self._client

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Api-Key": API_KEY})

    def create_index(self, dimension: int = 2, metric: str = "cosine") -> Index:
        name = f"test-{uuid4().hex[:12]}"
        self._client.create_index(name=name, dimension=dimension, metric=metric, spec=SERVERLESS)
        return self._client.Index(name)

    def index(self, host: str) -> Index:
        """The same index after a restart on another port."""
        return Index(host=f"{self.url}/svc/{host.rsplit('/', 1)[1]}", api_key=API_KEY, ssl_verify=False)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that many tests share."""
    started = Server(tmp_path_factory.mktemp("pinecone"), "--import-delay-ms", "0")
    yield started
    started.end()


@pytest.fixture
def index(server: Server) -> Index:
    """An empty cosine index of two dimensions."""
    return server.create_index()


@pytest.fixture(scope="session")
def faulty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which faults can be switched."""
    started = Server(tmp_path_factory.mktemp("faulty"), "--faults")
    yield started
    started.end()


@pytest.fixture
def faulty(faulty_server: Server) -> Iterator[Server]:
    """The server with faults, on which none is switched on before and after the test."""
    yield faulty_server
    with faulty_server.http() as http:
        http.put("/faults", json={"visibility_delay_ms": 0}).raise_for_status()


@pytest.fixture(scope="session")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server to kill and start again."""
    started = Server(tmp_path_factory.mktemp("lasting"))
    yield started
    started.end()
