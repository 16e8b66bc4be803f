"""What a change in the folder does to the documents, on the real Trino."""

import os
from pathlib import Path

from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.ingest_tables import INGEST_FILES, SOURCE_FILES
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS
from embedding_lakehouse.steps.ingest_documents.listing import list_files
from tests.ingest_runner import Ingestion, counts


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)


def test_a_file_becomes_a_document(ingestion: Ingestion, folder: Path) -> None:
    (folder / "handbook").mkdir()
    (folder / "handbook" / "leave.md").write_bytes("\ufeff# Leave\r\n\r\nCafe\u0301 is closed.".encode())
    run = ingestion.run()
    document = ingestion.documents()["handbook/leave.md"]
    assert counts(run) == (1, 0, 0, 0)
    assert document["document_text"] == "# Leave\n\nCaf\u00e9 is closed."
    assert document["content_hash"] == content_hash("# Leave\n\nCaf\u00e9 is closed.")
    assert (document["title"], document["media_type"]) == ("Leave", "text/markdown")
    assert document["source_uri"] == f"file://{folder}/handbook/leave.md"


def test_an_unchanged_folder_reads_and_commits_nothing(ingestion: Ingestion, folder: Path) -> None:
    write(folder, a="one", b="two")
    ingestion.run()
    snapshot = ingestion.lake.table(SOURCE_DOCUMENTS).current_snapshot()
    run = ingestion.run()
    assert (run["state"], run["listed_files"], run["unchanged_files"], run["read_files"]) == ("quiet", 2, 2, 0)
    assert not run["is_announced"]
    assert ingestion.lake.table(SOURCE_DOCUMENTS).current_snapshot() == snapshot


def test_only_the_edited_document_changes(ingestion: Ingestion, folder: Path) -> None:
    write(folder, a="one", b="two")
    ingestion.run()
    before = ingestion.documents()
    write(folder, a="one, edited")
    run = ingestion.run()
    after = ingestion.documents()
    assert (counts(run), run["read_files"]) == ((0, 1, 0, 0), 1)
    assert after["a.md"]["document_text"] == "one, edited"
    assert after["a.md"]["updated_at"] > before["a.md"]["updated_at"]
    assert after["b.md"] == before["b.md"]


def test_an_edit_that_keeps_size_and_time_is_seen(ingestion: Ingestion, folder: Path) -> None:
    write(folder, a="one")
    ingestion.run()
    times = (folder / "a.md").stat()
    write(folder, a="two")
    os.utime(folder / "a.md", ns=(times.st_atime_ns, times.st_mtime_ns))
    ingestion.run()
    assert ingestion.texts() == {"a.md": "two"}


def test_a_touched_file_is_read_and_nothing_is_announced(ingestion: Ingestion, folder: Path) -> None:
    write(folder, a="one")
    ingestion.run()
    os.utime(folder / "a.md", (1, 1))
    run = ingestion.run()
    assert (run["state"], run["read_files"], counts(run)) == ("finished", 1, (0, 0, 0, 0))
    assert not run["is_announced"]
    assert ingestion.run()["state"] == "quiet"


def test_a_vanished_file_removes_its_document(ingestion: Ingestion, folder: Path) -> None:
    write(folder, a="one", b="two")
    ingestion.run()
    (folder / "a.md").unlink()
    run = ingestion.run()
    assert (counts(run), run["vanished_files"], run["is_announced"]) == ((0, 0, 1, 0), 1, True)
    assert ingestion.texts() == {"b.md": "two"}
    assert [row["path"] for row in ingestion.rows(SOURCE_FILES)] == ["b.md"]


def test_a_renamed_file_is_another_document(ingestion: Ingestion, folder: Path) -> None:
    write(folder, a="one", b="two")
    ingestion.run()
    (folder / "a.md").rename(folder / "c.md")
    assert counts(ingestion.run()) == (1, 0, 1, 0)
    assert ingestion.texts() == {"b.md": "two", "c.md": "one"}


def test_a_pattern_chooses_the_files(ingestion: Ingestion, folder: Path) -> None:
    write(folder, a="one", b="two")
    (folder / "c.txt").write_text("three")
    assert ingestion.run(pattern="*.txt")["ignored_files"] == 2
    assert set(ingestion.documents()) == {"c.txt"}


def test_what_was_staged_is_dropped_when_the_run_ends(ingestion: Ingestion, folder: Path) -> None:
    write(folder, a="one")
    ingestion.run()
    assert ingestion.staged_rows() == 0


def test_ten_thousand_identical_documents_stay_ten_thousand(ingestion: Ingestion, folder: Path) -> None:
    for number in range(10_000):
        (folder / f"{number:05}.txt").write_text("the same everywhere")
    run = ingestion.run()
    assert counts(run) == (10_000, 0, 0, 0)
    assert {row["content_hash"] for row in ingestion.documents().values()} == {content_hash("the same everywhere")}
    assert len(ingestion.documents()) == 10_000


def test_shards_carry_about_the_same_bytes(ingestion: Ingestion, folder: Path) -> None:
    for number in range(40):
        (folder / f"small{number}.txt").write_text("x" * 1_000)
    for number in range(8):
        (folder / f"large{number}.txt").write_text("x" * 6_000_000)
    shards = list_files({"source": str(folder)}, "a-run", ingestion.lake)
    sizes = {shard["shard"]: 0 for shard in shards}
    for row in ingestion.rows(INGEST_FILES):
        sizes[row["shard"]] += row["size_bytes"]
    assert len(sizes) == 4
    assert max(sizes.values()) < 1.1 * min(sizes.values())


def test_odd_file_names_survive_all_the_way(ingestion: Ingestion, folder: Path) -> None:
    names = ["a#b", "it's", 'say "hi"', "emoji 😀", "50% off?", "a\\b", "no-break\u00a0space", "line\u2028separator", "cafe\u0301"]
    (folder / "sub").mkdir()
    for text in ("one", "two"):
        for name in names:
            (folder / "sub" / f"{name}.md").write_text(text)
        run = ingestion.run()
    assert counts(run) == (0, len(names), 0, 0)
    assert ingestion.texts() == {f"sub/{name}.md": "two" for name in names}


def test_a_file_that_another_source_has_needs_a_prefix(ingestion: Ingestion, folder: Path, tmp_path: Path) -> None:
    write(folder, a="one")
    ingestion.run()
    other = tmp_path / "other"
    other.mkdir()
    write(other, a="another one")
    second = Ingestion(ingestion.lake, str(other))
    assert counts(second.run()) == (0, 0, 0, 1)
    assert f"file://{folder}/a.md" in second.rejections()["a.md"]["reason"]
    second.run(id_prefix="other/")
    assert second.texts() == {"a.md": "one", "other/a.md": "another one"}
    assert not second.rejections()
