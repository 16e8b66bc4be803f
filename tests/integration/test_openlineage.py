"""Airflow's OpenLineage provider over real runs: each task's event names the tables that it read and wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dev.stack import Stack
from dev.stack.component import ROOT
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, EMBEDDING_BATCHES, SOURCE_DOCUMENTS, Table
from tests.lake_fixtures import declare, empty_lake, lake, profiles

__all__ = ["empty_lake", "lake", "profiles"]
PROFILE = """
[profiles.bundled]
provider = "wordllama"
model_name = "l2_supercat"
model_version = "bundled-v1"
dimensions = 256
"""
RUN = """
import sys
from airflow.dag_processing.dagbag import DagBag
source, = sys.argv[1:]
for name, params in (("ingest_documents", {"source": source}), ("embed_documents", {"profile": "bundled"})):
    assert DagBag(f"dags/{name}.py").dags[name].test(run_conf=params).state == "success"
"""


def test_each_task_names_the_tables_that_it_read_and_wrote(
    lake: Lake, lake_environment: Stack, airflow_database: Path, profiles: Path, tmp_path: Path
) -> None:
    declare(profiles, PROFILE)
    folder, events = tmp_path / "documents", tmp_path / "events.json"
    folder.mkdir()
    (folder / "a.md").write_text("The lamp turns every ten seconds.")
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    environment = os.environ | {"PYTHONPATH": "include", "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport)}
    subprocess.run([sys.executable, "-c", RUN, folder], cwd=ROOT, env=environment, check=True, capture_output=True)

    ended = [event for line in events.read_text().splitlines() if (event := json.loads(line))["eventType"] == "COMPLETE"]
    seen = {event["job"]["name"]: event for event in ended}
    source, embeddings = location(lake, SOURCE_DOCUMENTS), location(lake, DOCUMENT_EMBEDDINGS)
    record = {embeddings, location(lake, DOCUMENT_VERSIONS)}
    assert source in datasets(seen["ingest_documents.merge_documents"], "outputs")
    assert source in datasets(seen["embed_documents.detect_changes"], "inputs")
    published = seen["embed_documents.publish_batch"]
    # In one process, unlike under a scheduler, what earlier tasks told is told again.
    assert source in datasets(published, "inputs")
    assert datasets(published, "outputs") >= record | {location(lake, EMBEDDING_BATCHES)}
    assert not record & datasets(seen["embed_documents.detect_changes"], "outputs")


def datasets(event: dict[str, Any], side: str) -> set[str]:
    """The datasets of an event by their names: a local one is its path."""
    assert {dataset["namespace"] for dataset in event[side]} <= {"file"}
    return {dataset["name"] for dataset in event[side]}


def location(lake: Lake, table: Table) -> str:
    return lake.table(table).location().removeprefix("file://")
