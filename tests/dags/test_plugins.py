"""What loading a plugin costs each of Airflow's components."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(file.stem for file in (ROOT / "plugins").glob("*.py"))
SHOW = """
import json, runpy, sys
runpy.run_path(f"plugins/{sys.argv[1]}.py")
heavy = {"pyarrow", "pyiceberg", "trino", "pinecone", "numpy", "boto3", "embedding_lakehouse.alerting"}
print(json.dumps(sorted(heavy & sys.modules.keys())))
"""


@pytest.mark.parametrize("name", PLUGINS)
def test_loading_it_imports_nothing_heavy(name: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    command = [sys.executable, "-c", SHOW, name]
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout.splitlines()[-1]) == []


def test_there_is_the_plugin_of_alerts() -> None:
    assert "alerts" in PLUGINS
