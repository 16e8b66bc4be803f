"""The DAGs as Airflow runs them: a dry run that ends with its plan, a rebuild, the way back, and the end of what is not needed."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.index_fixtures import API_KEY, difference
from tests.lake_builder import LakeBuilder
from tests.release_fixtures import Rebuilding

DAGS = Path(__file__).parents[3] / "dags"
CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"]}


@pytest.fixture(autouse=True)
def in_airflow(airflow_database: Path, rebuilding: Rebuilding, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "generic", "host": rebuilding.service.host, "password": API_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_PINECONE_DEFAULT", json.dumps(connection))


def run_dag(name: str, **params: Any) -> dict[str, str]:
    """One run of the DAG; the state of each task (all states, where its instances differ)."""
    from airflow.dag_processing.dagbag import DagBag

    states = defaultdict[str, set[str]](set)
    for instance in DagBag(DAGS / f"{name}.py").dags[name].test(run_conf=params).get_task_instances():
        states[instance.task_id].add(str(instance.state))
    return {task: " ".join(sorted(found)) for task, found in states.items()}


def test_a_rebuild_is_a_dry_run_until_told_otherwise_and_can_be_taken_back(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.sync()
    profile = rebuilding.profile.name
    dry = run_dag("rebuild_index", profile=profile)
    assert dry.pop("plan_rebuild") == "success"
    assert set(dry.values()) == {"skipped"}
    assert rebuilding.states() == {"r1": "live"}

    done = run_dag("rebuild_index", profile=profile, dry_run=False)
    by_state = {state: {task for task in done if done[task] == state} for state in set(done.values())}
    assert by_state.keys() == {"success", "skipped"}
    assert {task for task in by_state["skipped"] if not task.startswith("catch_up.")} == {
        "fill_release.start_import",
        "fill_release.await_import",
    }
    assert rebuilding.states() == {"r1": "retired", "r2": "live"}
    assert difference(builder, rebuilding.records()) == {}

    assert set(run_dag("switch_release", profile=profile).values()) == {"success"}
    assert rebuilding.states() == {"r1": "live", "r2": "retired"}
    assert run_dag("drop_releases", release_id=rebuilding.named("r2")) == {"drop_releases": "skipped"}
    assert run_dag("drop_releases", release_id=rebuilding.named("r2"), dry_run=False) == {"drop_releases": "success"}
    assert rebuilding.states() == {"r1": "live", "r2": "dropped"}


def test_an_import_is_awaited(builder: LakeBuilder, rebuilding: Rebuilding, tmp_path: Path):
    builder.publish(CORPUS)
    params = {"dry_run": False, "method": "import", "import_uri": str(tmp_path)}
    done = run_dag("rebuild_index", profile=rebuilding.profile.name, **params)
    assert (done["fill_release.start_import"], done["fill_release.await_import"], done["switch_release"]) == (
        "success",
        "success",
        "success",
    )
    assert difference(builder, rebuilding.records()) == {}
