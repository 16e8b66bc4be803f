"""docker-compose.yaml as far as it can be judged without Docker: its form, what it mounts and publishes, its secrets, its agreement with
the local stack. What it mounts is run in tests/integration/test_compose_files.py.
"""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from dev.stack import airflow_environment, credentials
from dev.stack.component import ROOT
from dev.stack.ports import HOST
from tests.compose import COMPOSE, environment_of, resolved_compose

VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)([^}]*)\}")
SECRET = re.compile("PASSWORD|KEY|SECRET")
SECRETS_SCRIPT = ROOT / "dev" / "compose" / "secrets.sh"
HEALTH_SCRIPT = ROOT / "dev" / "compose" / "health.py"
# Nothing is known of what is in this image to ask with.
UNWATCHED = {"pinecone-index"}
# Images that end as a user of their own, by their sources. That of Pinecone's emulator is not public.
NOT_ROOT = ("embedding-lakehouse-airflow:", "trinodb/trino:")
UNKNOWN_USER = {"pinecone-index"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return resolved_compose()["services"]


@pytest.fixture
def api_server() -> Iterator[str]:
    """The address of a server that calls the scheduler healthy and the triggerer not."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"scheduler": {"status": "healthy"}, "triggerer": {"status": "unhealthy"}}')

        def log_message(self, *_: object) -> None:
            """Keep the test's output to the test."""

    with ThreadingHTTPServer((HOST, 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()


def variables() -> dict[str, set[str]]:
    """Each variable of the compose file and how it is written: `:?set it in .env`, `:-8080`, or nothing."""
    found: dict[str, set[str]] = {}
    for name, rule in VARIABLE.findall(COMPOSE.read_text()):
        found.setdefault(name, set()).add(rule)
    return found


def fresh_secrets(folder: Path) -> dict[str, str]:
    printed = subprocess.run(["bash", SECRETS_SCRIPT], cwd=folder, capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in printed.splitlines())


def health(part: str, server: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, HEALTH_SCRIPT, part, server], capture_output=True, text=True, check=False)


def test_it_has_the_form_that_the_compose_specification_asks_for() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_every_variable_is_explained_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    assert [name for name in variables() if not re.search(rf"^#?{name}=", example, re.MULTILINE)] == []


def test_every_secret_is_required_and_has_no_default() -> None:
    secrets = {name: rules for name, rules in variables().items() if SECRET.search(name)}
    assert {name: rules for name, rules in secrets.items() if rules - {"", ":?set it in .env"} or len(rules) == 0} == {}
    assert [name for name, rules in secrets.items() if ":?set it in .env" not in rules] == []


def test_the_script_makes_exactly_the_secrets_that_are_required(tmp_path: Path) -> None:
    required = {name for name, rules in variables().items() if ":?set it in .env" in rules}
    assert set(fresh_secrets(tmp_path)) == required


def test_the_example_holds_no_secret() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if re.match(r"#?LAKEHOUSE_\w*(PASSWORD|KEY|SECRET)\w*=.", line)] == []


def test_secrets_are_new_each_time_and_fit_their_purpose(tmp_path: Path) -> None:
    one, other = fresh_secrets(tmp_path), fresh_secrets(tmp_path)
    assert not set(one.values()) & set(other.values())
    assert Fernet(one["LAKEHOUSE_FERNET_KEY"]).encrypt(b"a connection")
    assert len(one["LAKEHOUSE_JWT_SECRET"]) == 64


def test_secrets_are_not_made_a_second_time(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LAKEHOUSE_POSTGRES_PASSWORD=in use\n")
    again = subprocess.run(["bash", SECRETS_SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "has its secrets already" in again.stderr


def test_every_mounted_path_exists(services: dict[str, Any]) -> None:
    mounts = {mount.split(":")[0] for service in services.values() for mount in service.get("volumes", ()) if mount.startswith(".")}
    assert mounts
    assert [mount for mount in mounts if not (ROOT / mount).exists()] == []


def test_the_project_is_mounted_read_only(services: dict[str, Any]) -> None:
    mounts = [mount for service in services.values() for mount in service.get("volumes", ()) if mount.startswith(".")]
    assert [mount for mount in mounts if not mount.endswith(":ro")] == []


def test_every_named_volume_is_declared(services: dict[str, Any]) -> None:
    used = {mount.split(":")[0] for service in services.values() for mount in service.get("volumes", ()) if mount[0] not in "./"}
    assert used == set(resolved_compose()["volumes"])


def test_every_port_is_bound_to_this_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_service_is_watched_or_ends_by_itself(services: dict[str, Any]) -> None:
    unwatched = {name for name, service in services.items() if "healthcheck" not in service and service.get("restart") != "no"}
    assert unwatched == UNWATCHED


def test_no_service_runs_as_root_or_with_privileges(services: dict[str, Any]) -> None:
    as_root = {
        name
        for name, service in services.items()
        if not service["image"].startswith(NOT_ROOT) and service.get("user") in (None, "root", "0")
    }
    assert as_root == UNKNOWN_USER
    given = {key for service in services.values() for key in ("privileged", "cap_add", "pid", "network_mode", "devices") if key in service}
    assert given == set()


def test_every_service_that_stays_is_started_again(services: dict[str, Any]) -> None:
    assert {service["restart"] for name, service in services.items() if name != "airflow-init"} == {"unless-stopped"}


def test_every_image_has_a_version(services: dict[str, Any]) -> None:
    tags = {service["image"].rpartition(":")[2] for service in services.values()}
    assert [tag for tag in tags if not re.match(r"v?\d", tag)] == []


def test_every_dependency_is_a_service_that_can_become_ready(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for wanted, how in service.get("depends_on", {}).items():
            ends = services[wanted].get("restart") == "no"
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), (name, wanted)


def test_the_image_has_the_airflow_that_the_requirements_name() -> None:
    version = re.search(r"^apache-airflow==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert version
    dockerfile = (ROOT / "dev" / "compose" / "Dockerfile").read_text()
    assert f"FROM apache/airflow:{version[1]}-python3.11" in dockerfile


def test_its_connections_are_those_of_the_local_stack_and_the_one_of_s3(services: dict[str, Any], tmp_path: Path) -> None:
    ports = {"trino": 1, "pinecone": 2, "airflow": 3}
    local = connections(airflow_environment(tmp_path, ports, credentials(tmp_path)))
    here = connections(services["airflow-scheduler"]["environment"])
    assert set(here) == {*local, "AIRFLOW_CONN_AWS_DEFAULT"}
    assert {name: here[name]["conn_type"] for name in local} == {name: local[name]["conn_type"] for name in local}
    assert here["AIRFLOW_CONN_TRINO_DEFAULT"]["extra"] == local["AIRFLOW_CONN_TRINO_DEFAULT"]["extra"]
    assert here["AIRFLOW_CONN_TRINO_DEFAULT"]["schema"] == local["AIRFLOW_CONN_TRINO_DEFAULT"]["schema"]


def connections(environment: dict[str, str]) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in environment.items() if name.startswith("AIRFLOW_CONN_")}


def test_airflow_has_every_setting_of_the_local_stack(services: dict[str, Any], tmp_path: Path) -> None:
    ports = {"trino": 1, "pinecone": 2, "airflow": 3}
    local = {name for name in airflow_environment(tmp_path, ports, credentials(tmp_path)) if name.startswith("AIRFLOW__")}
    assert local - set(services["airflow-scheduler"]["environment"]) == set()


@pytest.mark.parametrize("name", ["AIRFLOW__CORE__PARALLELISM", "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "AIRFLOW__CORE__EXECUTOR"])
def test_what_decides_how_tasks_run_is_the_same_as_in_the_local_stack(name: str, services: dict[str, Any], tmp_path: Path) -> None:
    local = airflow_environment(tmp_path, {"trino": 1, "pinecone": 2, "airflow": 3}, credentials(tmp_path))
    assert services["airflow-scheduler"]["environment"][name] == local[name]


def test_the_services_of_airflow_share_one_environment(services: dict[str, Any]) -> None:
    parts = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
    assert all(services[part]["environment"] == services[parts[0]]["environment"] for part in parts)


def test_trino_is_told_every_variable_that_its_files_ask_for() -> None:
    folder = ROOT / "dev"
    files = [folder / "trino" / "config.properties", *(folder / "compose" / "trino").glob("*.properties")]
    wanted = {name for file in files for name in re.findall(r"\$\{ENV:(\w+)\}", file.read_text())}
    assert wanted - set(environment_of("trino")) == set()


def test_the_same_trino_files_serve_the_local_stack(services: dict[str, Any]) -> None:
    mounted = {mount.split(":")[0] for mount in services["trino"]["volumes"]}
    assert mounted - {"./dev/compose/trino"} == {f"./dev/trino/{name}" for name in ("config.properties", "jvm.config", "log.properties")}


def test_the_catalog_refuses_whoever_shows_no_key(services: dict[str, Any]) -> None:
    target = "/etc/seaweedfs/iam.json"
    source = next(mount.split(":")[0] for mount in services["seaweedfs"]["volumes"] if f":{target}:" in mount)
    assert f"-s3.iam.config={target}" in services["seaweedfs"]["command"]
    assert json.loads((ROOT / source).read_text())["policy"]["defaultEffect"] == "Deny"


def test_a_part_that_the_api_server_calls_healthy_is_healthy(api_server: str) -> None:
    assert health("scheduler", api_server).returncode == 0


@pytest.mark.parametrize("part", ["triggerer", "dag_processor"])
def test_a_part_that_is_unhealthy_or_unknown_is_not_healthy(part: str, api_server: str) -> None:
    judged = health(part, api_server)
    assert judged.returncode == 1
    assert f"the API server calls {part}" in judged.stderr


def test_nothing_is_healthy_where_the_api_server_does_not_answer() -> None:
    judged = health("scheduler", f"http://{HOST}:1")
    assert judged.returncode == 1
    assert "does not answer" in judged.stderr


def test_an_empty_pinecone_host_leads_to_the_service_itself() -> None:
    environment = environment_of("airflow-scheduler", LAKEHOUSE_PINECONE_HOST="")
    assert json.loads(environment["AIRFLOW_CONN_PINECONE_DEFAULT"])["host"] == ""


def test_it_is_yaml_without_a_key_written_twice() -> None:
    text = COMPOSE.read_text()
    services = re.findall(r"^  ([a-z-]+):$", text.partition("\nservices:\n")[2].partition("\nvolumes:\n")[0], re.MULTILINE)
    assert services == list(yaml.safe_load(text)["services"])
