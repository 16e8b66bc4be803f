"""A check of one's own: an SQL file and a line make it a task of the grid, and it blocks what it finds."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.sql import statement
from embedding_lakehouse.core.checks import BINDS
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.errors import AuditFailed, ConfigurationError
from embedding_lakehouse.steps.embed_documents import auditing
from tests.batches import BatchRun, put_documents

ROOT = Path(__file__).parents[3]
OWN = "no_chunk_says_secret"
STATEMENT = """
select
    doc_id,
    chunk_text
from embeddings_db.document_embeddings for version as of {{ embeddings_snapshot }}
where batch_id = ? and chunk_text like '%secret%'
"""
LINE = f'{OWN} = {{ meaning = "a secret is to be embedded", binds = ["batch_id"] }}\n'
COUNTS = "few_chunks_are_written"
COUNT = "select {} from embeddings_db.document_embeddings for version as of {{{{ embeddings_snapshot }}}} where batch_id = ?"
SHOW = """
import json, runpy
dag = runpy.run_path("dags/embed_documents.py")["embed_documents"]()
print(json.dumps([task.task_id for task in dag.tasks]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of checks in a copy of the statements, which this process reads."""
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDDING_LAKEHOUSE_SQL", str(tmp_path / "sql"))
        forget()
        yield tmp_path / "sql" / "checks"
    forget()


def forget() -> None:
    """As a process that starts anew."""
    settings.checks.cache_clear()
    statement.cache_clear()


def add(folder: Path, name: str, text: str, line: str) -> None:
    (folder / f"{name}.sql").write_text(text)
    with (folder / "checks.toml").open("a") as declared:
        declared.write(line)
    forget()


def parse(folder: Path) -> subprocess.CompletedProcess[str]:
    """The DAG's file in a fresh interpreter."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include"), "EMBEDDING_LAKEHOUSE_SQL": str(folder.parent)}
    return subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_file_and_a_line_make_a_task(folder: Path) -> None:
    add(folder, OWN, STATEMENT, LINE)
    assert f"audit.{OWN}" in json.loads(parse(folder).stdout.splitlines()[-1])


def test_a_mistake_in_a_line_stops_the_dag_and_names_the_file(folder: Path) -> None:
    add(folder, OWN, STATEMENT, LINE.replace("batch_id", "batch"))
    error = parse(folder).stderr.splitlines()[-1]
    assert error.endswith(f"{folder / 'checks.toml'}, check '{OWN}': unknown bind 'batch'; known are {', '.join(sorted(BINDS))}")


def test_it_blocks_what_it_finds(lake: Lake, folder: Path) -> None:
    add(folder, OWN, STATEMENT, LINE)
    put_documents(lake, {"a": "Open.", "b": "A secret."})
    run = BatchRun(lake).until("commit")
    with pytest.raises(AuditFailed) as caught:
        run.audit()
    assert (caught.value.checks, run.row["state"]) == ((OWN,), "blocked")
    (row,) = lake.table(QUALITY_RESULTS).scan(row_filter="verdict = 'failed'").to_arrow().to_pylist()
    assert (row["check_name"], json.loads(row["sample"])) == (OWN, [{"doc_id": "b", "chunk_text": "A secret."}])


def test_thresholds_hold_at_their_border(lake: Lake, folder: Path) -> None:
    put_documents(lake, {name: f"Text {name}." for name in "abc"})
    run = BatchRun(lake).until("commit")

    def verdict(kind: str, threshold: int) -> str:
        name = f"{COUNTS}_{kind}_{threshold}"
        line = f'{name} = {{ meaning = "many", binds = ["batch_id"], kind = "{kind}", threshold = {threshold} }}\n'
        add(folder, name, COUNT.format("count(*) as n" if kind == "value" else "doc_id"), line)
        return auditing.run_check(run.batch_id, name, lake)["verdict"]

    assert [verdict(kind, threshold) for kind in ("rows", "value") for threshold in (3, 2)] == ["passed", "failed"] * 2
    add(folder, "wrong", COUNT.format("doc_id"), 'wrong = { meaning = "many", binds = ["batch_id"], kind = "value" }\n')
    with pytest.raises(ConfigurationError, match=r"sql/checks/wrong.sql answered 2 rows: a check of kind value answers exactly one"):
        auditing.run_check(run.batch_id, "wrong", lake)
