"""What a person may set about the local stack, in the environment or in the project's `.env`."""

import os
from pathlib import Path

from dotenv import dotenv_values

from dev.stack.component import ROOT
from dev.stack.errors import StackError

PORTS = {"trino": 8085, "pinecone": 5080, "airflow": 8080}


def airflow_settings() -> dict[str, str]:
    """Return the variables of the project's `.env` that are meant for Airflow: all but the stack's own."""
    return {name: value for name, value in _dotenv().items() if not name.startswith("LAKEHOUSE_")}


def home_folder() -> Path:
    """Return the folder that holds all state of the local stack."""
    return (ROOT / Path(_setting("LAKEHOUSE_HOME") or ".local").expanduser()).resolve()


def preferred_ports() -> dict[str, int]:
    """Return the port to try first for each server. Raises StackError for a setting that is no port."""
    return {name: _port(f"LAKEHOUSE_{name.upper()}_PORT", default) for name, default in PORTS.items()}


def _port(name: str, default: int) -> int:
    value = _setting(name)
    if not value:
        return default
    if not value.isdecimal() or int(value) > 65535:
        raise StackError(f"{name} is {value!r}: set it to a port from 1 to 65535, or to 0 for any free one.")
    return int(value)


def _setting(name: str) -> str | None:
    return os.environ.get(name) or _dotenv().get(name)


def _dotenv() -> dict[str, str]:
    return {name: value for name, value in dotenv_values(ROOT / ".env").items() if value}
