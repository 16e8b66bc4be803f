"""Files that are gone remove their documents only after a complete listing and within the limit."""

import os
import shutil
from pathlib import Path

import pytest

from embedding_lakehouse.errors import ApprovalRequired, ConfigurationError
from tests.ingest_runner import Ingestion, counts

DEEP = 250 * "x"


def fill(folder: Path, number: int) -> None:
    for name in range(number):
        (folder / f"{name:03}.md").write_text(f"text {name}")


def empty(folder: Path, first: int = 0) -> None:
    for file in sorted(folder.iterdir())[first:]:
        file.unlink()


def test_a_folder_that_is_suddenly_half_empty_asks_before_anything_is_read(ingestion: Ingestion, folder: Path) -> None:
    fill(folder, 20)
    ingestion.run()
    empty(folder, 10)
    (folder / "new.md").write_text("new")
    with pytest.raises(ApprovalRequired, match=r"remove up to 10 of the source's 20 documents.*limit is 10%.*allow_deletes"):
        ingestion.run()
    assert len(ingestion.documents()) == 20
    stopped = ingestion.runs()[-1]
    assert (stopped["state"], stopped["vanished_files"]) == ("stopped", 10)
    assert "allow_deletes" in stopped["message"]
    assert ingestion.staged_rows() == 0


def test_consent_lets_them_go(ingestion: Ingestion, folder: Path) -> None:
    fill(folder, 20)
    ingestion.run()
    empty(folder)
    assert counts(ingestion.run(allow_deletes=True)) == (0, 0, 20, 0)
    assert ingestion.documents() == {}
    assert ingestion.run()["state"] == "quiet"


def test_the_last_document_of_a_source_asks_too(ingestion: Ingestion, folder: Path) -> None:
    fill(folder, 1)
    ingestion.run()
    empty(folder)
    with pytest.raises(ApprovalRequired):
        ingestion.run()
    assert len(ingestion.documents()) == 1


def test_rows_that_leave_a_file_count_against_the_limit_and_nothing_is_merged(ingestion: Ingestion, folder: Path) -> None:
    rows = [f"{number},text {number}\n" for number in range(100)]
    (folder / "a.csv").write_text("id,text\n" + "".join(rows))
    ingestion.run()
    (folder / "a.csv").write_text("id,text\n1,changed\n")
    with pytest.raises(ApprovalRequired, match="99 of the source's 100"):
        ingestion.run()
    assert len(ingestion.documents()) == 100
    assert ingestion.texts()["1"] == "text 1"
    assert counts(ingestion.run(allow_deletes=True)) == (0, 1, 99, 0)


def test_a_missing_folder_removes_nothing(ingestion: Ingestion, folder: Path) -> None:
    fill(folder, 3)
    ingestion.run()
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(ConfigurationError, match="does not exist"):
        ingestion.run(allow_deletes=True)
    assert len(ingestion.documents()) == 3
    assert (ingestion.runs()[-1]["state"], ingestion.staged_rows()) == ("stopped", 0)


def test_an_incomplete_listing_removes_nothing(ingestion: Ingestion, folder: Path) -> None:
    fill(folder, 10)
    ingestion.run()
    (folder / "000.md").unlink()
    dig(folder)
    run = ingestion.run()
    assert (run["is_complete"], counts(run)) == (False, (0, 0, 0, 1))
    assert len(ingestion.documents()) == 10
    (rejection,) = ingestion.rejections().values()
    assert "the folder may not be listed (File name too long)" in rejection["reason"]
    shutil.rmtree(folder / DEEP)
    assert counts(ingestion.run()) == (0, 0, 1, 0)
    assert ingestion.rejections() == {}


def dig(folder: Path) -> None:
    """Nest folders deeper than a path may be long: nobody can list the innermost, root neither."""
    place = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir(DEEP, dir_fd=place)
        inner = os.open(DEEP, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)


def test_a_source_inside_another_one_is_refused(ingestion: Ingestion, folder: Path) -> None:
    (folder / "sub").mkdir()
    fill(folder / "sub", 1)
    ingestion.run()
    with pytest.raises(ConfigurationError, match="overlaps"):
        Ingestion(ingestion.lake, str(folder / "sub")).run()
    with pytest.raises(ConfigurationError, match="overlaps"):
        Ingestion(ingestion.lake, str(folder.parent)).run()
