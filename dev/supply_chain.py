"""What the locks hold: looked up among the published vulnerabilities, and listed as a CycloneDX document."""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.stack.component import ROOT

LOCKS = (ROOT / "requirements.lock", ROOT / "dev" / "requirements.lock", ROOT / "dev" / "uv.lock")
ACCEPTED = ROOT / "dev" / "accepted_vulnerabilities.toml"
SBOM = ROOT / "dist" / "sbom.json"
FOUND, NOT_AUDITED = 1, 3


@dataclass
class Answer:
    """What the services said: `found` are lines of package, vulnerability and mending version, `unknown` packages they know nothing of."""

    found: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    asked: int = 0
    trouble: str = ""

    @property
    def is_complete(self) -> bool:
        return bool(self.asked) and not self.unknown and not self.trouble


def audit(locks: Sequence[Path] = LOCKS, osv_url: str | None = None) -> Answer:
    """Ask OSV for every package of the locks, or PyPI's own service where OSV cannot be reached and PyPI is no bare mirror."""
    answer = _asked(locks, "osv", osv_url)
    if answer.asked or not _asked(locks[-1:], "pypi").is_complete:
        return answer
    return _asked(locks, "pypi")


def write_sbom(lock: Path = LOCKS[0], file: Path = SBOM) -> Path:
    """Write the CycloneDX document of a lock: every package with its version, package URL and hashes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    options = ("--of", "JSON", "--sv", "1.6", "--output-reproducible", "--output-file", str(file))
    subprocess.run([sys.executable, "-m", "cyclonedx_py", "requirements", str(lock), *options], check=True)
    return file


def _asked(locks: Sequence[Path], service: str, osv_url: str | None = None) -> Answer:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    for lock in locks:
        command += ["--requirement", str(lock)]
    for name in tomllib.loads(ACCEPTED.read_text()):
        command += ["--ignore-vuln", name]
    command += ["--vulnerability-service", service, *(["--osv-url", osv_url] if osv_url else [])]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return _read(json.loads(ended.stdout)["dependencies"])
    except ValueError:
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return Answer(trouble=f"{service}: {last}")


def _read(dependencies: list[dict[str, Any]]) -> Answer:
    answer = Answer(asked=len(dependencies))
    for package in dependencies:
        if "vulns" not in package:
            answer.unknown.append(package["name"])
        for one in package.get("vulns", ()):
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            answer.found.append(f"{package['name']} {package['version']}: {one['id']}, mended in {mended}")
    return answer


def _conclude(answer: Answer, is_strict: bool) -> int:
    for line in answer.found:
        print(line)
    if answer.found:
        print(
            f"{len(answer.found)} published vulnerabilities. Renew the locks (make lock), or accept one with a reason in {ACCEPTED.name}."
        )
        return FOUND
    if answer.is_complete:
        print(f"No published vulnerability in the {answer.asked} packages of the locks.")
        return 0
    why = answer.trouble or f"nothing is known of {', '.join(answer.unknown)}"
    print(f"NOT AUDITED: {why}.")
    print("Whether what is installed has published vulnerabilities is not known: run `make audit` where OSV is in reach.")
    return NOT_AUDITED if is_strict else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.supply_chain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    audited = commands.add_parser("audit", help="look for published vulnerabilities")
    audited.add_argument("--strict", action="store_true", help=f"end with {NOT_AUDITED} where the database could not be asked")
    audited.add_argument("--osv-url", help="another address of the OSV database")
    commands.add_parser("sbom", help=f"write {SBOM.relative_to(ROOT)}")
    told = parser.parse_args()
    if told.command == "audit":
        return _conclude(audit(osv_url=told.osv_url), told.strict)
    print(write_sbom())
    return 0


if __name__ == "__main__":
    sys.exit(main())
