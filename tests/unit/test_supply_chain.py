"""The locks hold one version of everything with its hashes, and name no registry. The tools that read them: tests/integration."""

import re
import tomllib
from pathlib import Path

import pytest

from dev.stack.component import ROOT
from dev.supply_chain import LOCKS

PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
DECLARED = re.compile(r"^(?P<name>[\w.-]+)(?:\[[^]]*\])?==(?P<version>\S+)")


def pins(lock: Path) -> set[tuple[str, str]]:
    return set(PIN.findall(lock.read_text()))


def entries(lock: Path) -> list[str]:
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [entry for entry in re.split(r"\n(?=\S)", "\n".join(lines)) if entry]


def declared(lines: list[str]) -> set[tuple[str, str]]:
    return {(found["name"], found["version"]) for line in lines if (found := DECLARED.match(line))}


def extra(name: str) -> set[tuple[str, str]]:
    return declared(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"][name])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_entry_of_a_lock_is_one_version_with_its_hashes(lock: Path) -> None:
    assert entries(lock)
    assert [entry.splitlines()[0] for entry in entries(lock) if not PIN.match(entry) or "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_a_lock_names_no_registry(lock: Path) -> None:
    assert "://" not in lock.read_text()


def test_the_locks_hold_what_is_declared() -> None:
    wanted = declared((ROOT / "requirements.txt").read_text().splitlines())
    assert wanted | extra("image") <= pins(LOCKS[0])
    assert wanted | extra("dev") <= pins(LOCKS[1])


def test_a_deployment_has_the_versions_that_the_tests_run_with() -> None:
    tested = dict(pins(LOCKS[1]))
    assert {name for name, version in pins(LOCKS[0]) if tested.get(name, version) != version} - TWICE == set()


# In several versions in a lock, by the version of Python.
TWICE = {name for lock in LOCKS for name, _ in pins(lock) if sum(name == other for other, _ in pins(lock)) > 1}


@pytest.mark.parametrize("file", ["dev/install.sh", "dev/compose/Dockerfile", "Makefile"])
def test_nothing_is_installed_without_its_hash(file: str) -> None:
    installing = [line for line in (ROOT / file).read_text().splitlines() if re.search(r"pip install|install\.sh install", line)]
    assert installing
    assert [line for line in installing if "--require-hashes" not in line] == []
