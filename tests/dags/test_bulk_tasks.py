"""The tasks of a purchase in bulk: there where a profile buys so and nowhere else, and what follows them runs though they are skipped."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.bulk_fixtures import openai_profile

ROOT = Path(__file__).parents[2]
SHOW = """
import json, runpy, sys
tasks = runpy.run_path("dags/embed_documents.py")["embed_documents"]().task_dict
print(json.dumps({
    "before": {name: sorted(task.upstream_task_ids) for name, task in tasks.items()},
    "rules": {name: task.trigger_rule for name, task in tasks.items()},
    "retries": sorted({task.retries for task in tasks.values()}),
    "owners": sorted({task.owner for task in tasks.values()}),
    "heavy": sorted({"numpy", "openai", "pyarrow", "pyiceberg"} & sys.modules.keys()),
}))
"""


def shown(folder: Path, above_texts: int) -> dict:
    """What a fresh interpreter reads in the DAG's file where the only profile buys batches of more texts than that in bulk."""
    file = folder / "profiles.toml"
    file.write_text(openai_profile(above_texts))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include"), "EMBEDDING_LAKEHOUSE_PROFILES": str(file)}
    ended = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def test_where_no_profile_buys_in_bulk_there_is_no_task_for_it(tmp_path: Path) -> None:
    before = shown(tmp_path, above_texts=0)["before"]
    assert "approve_plan" in before["embed_chunks"]
    assert not {"plan_bulk", "buy_in_bulk"} & before.keys()


def test_a_purchase_in_bulk_waits_for_the_approval_and_embed_chunks_for_both(tmp_path: Path) -> None:
    found = shown(tmp_path, above_texts=10)
    assert found["before"]["plan_bulk"] == ["approve_plan", "price_batch"]
    assert found["before"]["buy_in_bulk"] == ["plan_bulk"]
    assert found["before"]["embed_chunks"] == ["approve_plan", "buy_in_bulk", "price_batch"]
    assert found["rules"]["embed_chunks"] == "none_failed_min_one_success"


def test_its_tasks_are_tried_again_and_parsing_them_imports_nothing_heavy(tmp_path: Path) -> None:
    found = shown(tmp_path, above_texts=10)
    assert (found["retries"], found["owners"], found["heavy"]) == ([3], ["embedding-lakehouse"], [])
