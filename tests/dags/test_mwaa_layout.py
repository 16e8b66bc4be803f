"""What `make mwaa` builds, unpacked as Amazon MWAA unpacks it: Airflow finds the package, both plugins, every DAG."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dev.mwaa import HERE, build
from dev.stack.component import ROOT

AIRFLOW_HOME = "/usr/local/airflow"
FOLDERS = re.compile(r"^export (EMBEDDING_LAKEHOUSE_\w+)=(\S+)$", re.MULTILINE)
SHOW = """
import json, os
from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(os.environ["AIRFLOW_HOME"] + "/dags", bundle_name="mwaa")
plugins, _ = plugins_manager._get_plugins()
import embedding_lakehouse
from embedding_lakehouse import settings
print(json.dumps({
    "dags": sorted(bag.dags), "errors": bag.import_errors, "package": embedding_lakehouse.__file__,
    "plugins": sorted(plugin.name for plugin in plugins), "plugin_errors": plugins_manager.get_import_errors(),
    "checks": len(settings.checks()), "profiles": list(settings.profiles()),
}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow's home as MWAA lays it out."""
    home = tmp_path_factory.mktemp("mwaa") / "airflow"
    built = build(home.parent / "bucket")
    with zipfile.ZipFile(built / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    (built / "dags").rename(home / "dags")
    return home


@pytest.fixture(scope="module")
def shown(home: Path) -> dict[str, Any]:
    (home.parent / "python").mkdir()
    startup = (HERE / "startup.sh").read_text().replace(AIRFLOW_HOME, str(home))
    unset = ("AIRFLOW", "EMBEDDING_LAKEHOUSE", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
    environment |= {"AIRFLOW_HOME": str(home), "PYTHONPATH": str(home.parent / "python"), **dict(FOLDERS.findall(startup))}
    command = [sys.executable, "-c", SHOW]
    ended = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_every_dag_is_found_without_an_error(shown: dict[str, Any]) -> None:
    assert shown["errors"] == {}
    files = {file.stem for file in (ROOT / "dags").glob("*.py")}
    assert {dag.partition("__")[0] for dag in shown["dags"]} == files


def test_only_the_plugins_are_loaded_as_such(shown: dict[str, Any]) -> None:
    assert shown["plugin_errors"] == {}
    assert {name for name in shown["plugins"] if "embedding" in name} == {"embedding_lakehouse_alerts", "embeddings_page"}


def test_the_package_and_what_it_reads_come_from_the_archive(shown: dict[str, Any], home: Path) -> None:
    assert shown["package"] == str(home / "plugins" / "embedding_lakehouse" / "__init__.py")
    assert (shown["checks"] > 0, "wordllama" in shown["profiles"]) == (True, True)


def test_the_archive_is_the_same_each_time(tmp_path: Path) -> None:
    one, other = (build(tmp_path / name) / "plugins.zip" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_its_requirements_are_those_of_the_project_but_airflow(tmp_path: Path) -> None:
    text = (build(tmp_path / "built") / "requirements.txt").read_text()
    wanted = [
        line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line and not line.startswith("apache-airflow==")
    ]
    assert [line for line in wanted if re.sub(r"\[.*?\]", "", line) not in text] == []
    fixed = [line for line in (HERE / "image.txt").read_text().lower().splitlines() if "==" in line]
    assert [line for line in fixed if line.split("==")[0] + "==" in text and f"\n{line} " not in text] == []
