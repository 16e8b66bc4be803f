"""An ingestion that is killed anywhere, meets another one, or runs out of disk: a rerun reaches the state of an undisturbed run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedding_lakehouse.core.ingest_tables import SOURCE_FILES
from tests.ingest_runner import Ingestion

ROOT = Path(__file__).parents[3]
EXPECTED = {"b.md": "two", "c.md": "three", "1": "one row"}
MOMENTS = [
    ("after", "ingest/count_sources"),
    ("after", "ingest/compare_files"),
    ("before", "ingest/compare_documents"),
    ("after", "ingest/compare_documents"),
    ("before", "ingest/merge_documents"),
    ("after", "ingest/merge_documents"),
    ("after", "ingest/merge_rejections"),
    ("after", "ingest/merge_files"),
]


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ingest_process", str(folder), *options]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/include:{ROOT}"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate()
    return process.returncode, errors


def change(folder: Path) -> None:
    """From a.md and b.md: one removed, one edited, two new, one rejected."""
    (folder / "a.md").unlink()
    (folder / "b.md").write_text("two")
    (folder / "c.md").write_text("three")
    (folder / "d.csv").write_text("id,text\n1,one row\n2,\n")


@pytest.fixture
def started(ingestion: Ingestion, folder: Path) -> Ingestion:
    """A lake that holds a.md and b.md, and a folder that changed since."""
    (folder / "a.md").write_text("one")
    (folder / "b.md").write_text("not yet two")
    ingestion.run()
    change(folder)
    return ingestion


def assert_as_undisturbed(ingestion: Ingestion) -> None:
    assert ingestion.texts() == EXPECTED
    assert ingestion.codes() == {"2": "empty"}
    assert sorted((row["path"], row["document_count"], row["rejection_count"]) for row in ingestion.rows(SOURCE_FILES)) == [
        ("b.md", 1, 0),
        ("c.md", 1, 0),
        ("d.csv", 1, 1),
    ]


@pytest.mark.parametrize("moment", MOMENTS, ids=[" ".join(moment) for moment in MOMENTS])
def test_a_run_after_a_kill_reaches_the_same_state_and_announces_what_changed(
    started: Ingestion, folder: Path, moment: tuple[str, str]
) -> None:
    code, errors = finished(start(folder, "--die", *moment))
    assert code == -signal.SIGKILL, errors
    run = started.run()
    assert run["is_announced"]
    assert_as_undisturbed(started)
    assert started.run()["state"] == "quiet"


def test_two_runs_at_once_reach_the_same_state(started: Ingestion, folder: Path) -> None:
    both = [start(folder), start(folder)]
    for code, errors in [finished(process) for process in both]:
        assert code == 0, errors
    assert_as_undisturbed(started)
    assert started.staged_rows() == 0


def test_a_disk_that_fills_up_while_staging_changes_nothing(started: Ingestion, folder: Path) -> None:
    before = started.documents()
    (folder / "large.txt").write_bytes(bytes(range(32, 127)) * 200_000)
    code, errors = finished(start(folder, "--largest-file", "1000"))
    assert code == 1
    assert "File too large" in errors
    assert started.documents() == before
    (folder / "large.txt").unlink()
    started.run()
    assert_as_undisturbed(started)
