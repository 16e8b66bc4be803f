"""Airflow as four components on one SQLite database, and the environment that its processes, the demo and the tests share."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from dev.files import write_privately
from dev.stack.catalog import catalog_properties
from dev.stack.component import ROOT, Component, answer
from dev.stack.credentials import Credentials
from dev.stack.errors import ComponentFailed
from dev.stack.ports import HOST
from dev.stack.programs import Program, Started

# Component name -> its arguments and its key in the API server's health report. The log servers would listen on every interface.
COMMANDS = {
    "airflow-api-server": (("api-server",), "metadatabase"),
    "airflow-scheduler": (("scheduler", "--skip-serve-logs"), "scheduler"),
    "airflow-dag-processor": (("dag-processor",), "dag_processor"),
    "airflow-triggerer": (("triggerer", "--skip-serve-logs"), "triggerer"),
}


def airflow_environment(home: Path, ports: Mapping[str, int], secrets: Credentials) -> dict[str, str]:
    """Return the environment variables under which Airflow runs in a home folder, against the servers on `ports`.

    `ports` has `trino`, `pinecone` and `airflow`. Whoever uses them must set them before Airflow is imported.
    """
    past_proxies = ",".join(dict.fromkeys([HOST, "localhost", *filter(None, os.environ.get("NO_PROXY", "").split(","))]))
    return {
        **_settings(home, ports["airflow"], secrets),
        **connections(home, ports, secrets),
        "AIRFLOW_HOME": str(home / "airflow"),
        "PYTHONPATH": str(ROOT / "include"),
        # A proxy that the environment names must not see what the components say to each other.
        "NO_PROXY": past_proxies,
        "no_proxy": past_proxies,
        # Otherwise the title that Airflow gives its processes is written over the environment in which they carry their mark.
        "SPT_NOENV": "1",
        "DO_NOT_TRACK": "true",
        "SCARF_ANALYTICS": "false",
    }


def connections(home: Path, ports: Mapping[str, int], secrets: Credentials) -> dict[str, str]:
    """Return Airflow's connections to the local stack, in the JSON form of its environment variables."""
    trino = {
        "conn_type": "trino",
        "host": HOST,
        "port": ports["trino"],
        "login": "airflow",
        "schema": "embeddings_db",
        "extra": {"catalog": "lakehouse", "protocol": "http"},
    }
    pinecone = {"conn_type": "generic", "host": f"http://{HOST}:{ports['pinecone']}", "password": secrets.pinecone_api_key}
    return {
        "AIRFLOW_CONN_TRINO_DEFAULT": json.dumps(trino),
        "AIRFLOW_CONN_ICEBERG_DEFAULT": json.dumps({"conn_type": "iceberg", "extra": catalog_properties(home)}),
        "AIRFLOW_CONN_PINECONE_DEFAULT": json.dumps(pinecone),
    }


def _settings(home: Path, port: int, secrets: Credentials) -> dict[str, str]:
    folder, address = home / "airflow", f"http://{HOST}:{port}"
    sections: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": ROOT / "dags",
            "plugins_folder": ROOT / "plugins",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 4,
            "execution_api_server_url": f"{address}/execution/",
            "fernet_key": secrets.airflow_fernet_key,
            "simple_auth_manager_users": "admin:admin,viewer:viewer",
            "simple_auth_manager_all_admins": False,
            "simple_auth_manager_passwords_file": folder / "passwords.json",
        },
        "database": {"sql_alchemy_conn": f"sqlite:///{folder}/airflow.db"},
        # Values of connections' extras as short as "sql" are no secrets, and no reason for a warning in every task's log.
        "logging": {"base_log_folder": folder / "logs", "colored_console_log": False, "min_length_masked_secret": 3},
        "api": {"host": HOST, "port": port, "base_url": address, "secret_key": secrets.airflow_api_secret_key},
        "api_auth": {"jwt_secret": secrets.airflow_jwt_secret},
        # A finished task is reported with the next heartbeat, so this is what a short task costs at least.
        "workers": {"min_heartbeat_interval": 1},
        # Seconds until a task whose supervisor was killed is tried again, and until an asset that was looked at while its DAG was being
        # read counts as active: a task with an inactive one fails.
        "scheduler": {"task_instance_heartbeat_timeout": 30, "parsing_cleanup_interval": 10},
        "dag_processor": {"refresh_interval": 30, "dag_bundle_storage_path": folder / "bundles"},
    }
    return {f"AIRFLOW__{section.upper()}__{key.upper()}": str(value) for section, keys in sections.items() for key, value in keys.items()}


def airflow_components(environment: Mapping[str, str], port: int) -> list[Component]:
    """Return Airflow's components, the API server first: it answers for the other three."""
    return [_component(name, arguments, part, environment, port) for name, (arguments, part) in COMMANDS.items()]


def _component(name: str, arguments: tuple[str, ...], part: str, environment: Mapping[str, str], port: int) -> Component:
    program = Program(name, (sys.executable, "-m", "airflow", *arguments), environment)

    def probe(started: Started) -> str | None:
        return airflow_trouble(port, part, started)

    return Component(program, port if part == "metadatabase" else None, probe)


def airflow_trouble(port: int, part: str, started: Started) -> str | None:
    """Return what is wrong with one part of the Airflow on a port, or None if it is well."""
    response = answer(f"http://{HOST}:{port}/api/v2/monitor/health")
    if isinstance(response, str):
        return response if part == "metadatabase" else f"unknown, since the API server {response}"
    health = response.json().get(part) or {}
    if health.get("status") != "healthy":
        return f"the API server calls it {health.get('status') or 'not yet seen'}"
    heartbeat = health.get(f"latest_{part}_heartbeat")
    # After a restart the report speaks of the one before, until the new one has beaten for the first time.
    if heartbeat and datetime.fromisoformat(heartbeat) < datetime.fromtimestamp(started.at, UTC):
        return "has not given a sign of life since its start"
    return None


def prepare_airflow(home: Path, environment: Mapping[str, str], secrets: Credentials, log: Path) -> None:
    """Bring Airflow's database to the installed version and write its password file; does nothing the second time.

    Raises ComponentFailed if the migration fails.
    """
    folder = home / "airflow"
    folder.mkdir(parents=True, exist_ok=True)
    write_privately(folder / "passwords.json", json.dumps({"admin": secrets.airflow_password, "viewer": secrets.airflow_viewer_password}))
    migrated, installed = folder / "migrated_to", version("apache-airflow")
    if migrated.exists() and migrated.read_text() == installed:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        ended = subprocess.run(command, env={**os.environ, **environment}, cwd=ROOT, stdout=stream, stderr=stream, check=False)
    if ended.returncode:
        raise ComponentFailed("airflow-api-server", f"`airflow db migrate` ended with {ended.returncode}; see {log}")
    with sqlite3.connect(folder / "airflow.db") as connection:
        # Kept in the file: four components and every task's report then wait for each other far less.
        connection.execute("pragma journal_mode=wal")
    connection.close()
    migrated.write_text(installed)
