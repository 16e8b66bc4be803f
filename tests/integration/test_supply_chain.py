"""What the locks hold, looked up in a database of vulnerabilities and written as a bill of materials, by the real tools."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dev.stack.component import ROOT
from dev.stack.ports import HOST
from dev.supply_chain import LOCKS, write_sbom

VULNERABLE = "rich"


@pytest.fixture
def osv() -> Iterator[str]:
    """The address of an OSV database that knows one vulnerability, of `VULNERABLE`."""

    class Database(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = {"vulns": [{"id": "GHSA-test", "summary": "", "modified": "2026-01-01T00:00:00Z", "affected": []}]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(known if asked["package"]["name"] == VULNERABLE else {}).encode())

        def log_message(self, *_: object) -> None:
            """Keep the test's output to the test."""

    with ThreadingHTTPServer((HOST, 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}/v1/query"
        server.shutdown()


def audited(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dev.supply_chain", "audit", "--osv-url", url, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_an_audit_names_what_is_vulnerable_and_fails(osv: str) -> None:
    ended = audited(osv)
    assert ended.returncode == 1, ended.stderr
    assert re.search(rf"^{VULNERABLE} [0-9.]+: GHSA-test, mended in no version yet$", ended.stdout, re.MULTILINE)


def test_an_audit_that_reached_no_database_says_so() -> None:
    ended = audited(f"http://{HOST}:9/v1/query", "--strict")
    assert (ended.returncode, ended.stdout.startswith("NOT AUDITED: osv: ")) == (3, True)


def test_the_bill_of_materials_names_every_locked_package(tmp_path: Path) -> None:
    listed = json.loads(write_sbom(file=tmp_path / "sbom.json").read_text())
    assert listed["bomFormat"] == "CycloneDX"
    locked = re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCKS[0].read_text(), re.MULTILINE)
    assert {(each["name"], each["version"]) for each in listed["components"]} == set(locked)
    assert all(each["externalReferences"][0]["hashes"] and each["purl"] for each in listed["components"])
