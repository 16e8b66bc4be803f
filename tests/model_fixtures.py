"""A process that answers like OpenAI and like Bedrock, and Airflow's connections to it."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import httpx
import pytest

from dev.stack.component import ROOT
from embedding_lakehouse.core.profiles import Profile, parse_profiles

# Whoever finds one of these in a log or in an error has found a leak.
API_KEY = "sk-never-to-be-shown-5c1d"
SECRET_KEY = "secret-never-to-be-shown-7a2e"
SESSION_TOKEN = "token-never-to-be-shown-91bf"
SECRETS = (API_KEY, SECRET_KEY, SESSION_TOKEN)

PROFILES = """
[profiles.openai]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "openai-v1"
dimensions = 256

[profiles.titan]
provider = "bedrock_titan"
model_name = "amazon.titan-embed-text-v2:0"
model_version = "titan-v1"
dimensions = 512

[profiles.cohere]
provider = "bedrock_cohere"
model_name = "cohere.embed-v4:0"
model_version = "cohere-v1"
dimensions = 1024
"""


class Request(NamedTuple):
    """A request as the server saw it."""

    at: float
    tokens: int
    inputs: int
    status: int


class ModelServer:
    """The server as a process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "dev.model_server", "--port", "0"]
        environment = os.environ | {"MODEL_API_KEY": API_KEY}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = next(line.split()[-1] for line in self._process.stdout if line.startswith("Listening on "))

    def put(self, **behaviour: Any) -> None:
        """Put a behaviour in force, and forget what was asked."""
        httpx.put(f"{self.url}/behaviour", json=behaviour).raise_for_status()

    def put_faults(self, *faults: dict[str, Any]) -> None:
        """Put faults in force, none for none; what was asked and the account stay."""
        httpx.put(f"{self.url}/faults", json=list(faults)).raise_for_status()

    def asked(self) -> tuple[list[Request], Counter[str]]:
        """The requests since then, and how often each text was embedded."""
        shown = httpx.get(f"{self.url}/asked").json()
        return [Request(**request) for request in shown["requests"]], Counter(shown["texts"])

    def batched(self) -> Counter[str]:
        """How often each text was put in a batch since then."""
        return Counter(httpx.get(f"{self.url}/asked").json()["batched"])

    def calls(self) -> Counter[str]:
        """How often each call was made since then, such as `POST /v1/batches`."""
        return Counter(httpx.get(f"{self.url}/asked").json()["calls"])

    def kept_files(self) -> int:
        """The files that the account holds."""
        return int(httpx.get(f"{self.url}/asked").json()["files"])

    def connections(self) -> dict[str, str]:
        """Airflow's connections to it, as environment variables."""
        openai = {"conn_type": "openai", "password": API_KEY, "host": f"{self.url}/v1"}
        aws = {
            "conn_type": "aws",
            "login": "AKIDEXAMPLE",
            "password": SECRET_KEY,
            "extra": {"region_name": "us-east-1", "endpoint_url": self.url, "aws_session_token": SESSION_TOKEN},
        }
        return {
            "AIRFLOW_CONN_OPENAI_DEFAULT": json.dumps(openai),
            "AIRFLOW_CONN_OPENAI_OTHER_KEY": json.dumps(openai | {"password": f"{API_KEY}-of-yesterday"}),
            "AIRFLOW_CONN_OPENAI_NO_KEY": json.dumps(openai | {"password": None}),
            "AIRFLOW_CONN_OPENAI_NOBODY": json.dumps(openai | {"host": "http://127.0.0.1:9/v1"}),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
        }

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


@pytest.fixture(scope="session")
def model_process() -> Iterator[ModelServer]:
    """The server's process, with Airflow's connections to it in the environment."""
    server = ModelServer()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.connections().items():
            patch.setenv(name, value)
        patch.delenv("OPENAI_API_KEY", raising=False)
        yield server
    server.stop()


@pytest.fixture
def model_server(model_process: ModelServer) -> ModelServer:
    """The server without limits and faults, which was not asked yet."""
    model_process.put()
    return model_process


def declared(name: str, **changes: Any) -> Profile:
    """One of the profiles above with some settings changed; `limits` are those to change."""
    profile = parse_profiles(PROFILES, "profiles.toml")[name]
    limits = replace(profile.limits, **changes.pop("limits", {}))
    return replace(profile, limits=limits, **changes)
