"""Documents that cannot be used: visible with their reason, in nobody's way, and back as soon as they are good."""

from pathlib import Path

from embedding_lakehouse.core.ingest_tables import REJECTED_DOCUMENTS
from tests.hostile_files import docx, pdf_of, slow_pdf
from tests.ingest_runner import Ingestion, counts

GOOD = {"good.md": "good"}


def test_each_bad_document_is_rejected_with_its_reason_and_stops_nothing(ingestion: Ingestion, folder: Path) -> None:
    (folder / "good.md").write_text("good")
    (folder / "null.txt").write_bytes(b"a\0b")
    (folder / "encoding.md").write_bytes(b"abc\xff")
    (folder / "empty.md").write_text("")
    (folder / "blank.md").write_text(" \n\t")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (folder / "bomb.docx").write_bytes(docx("a" * 200_000_000))
    (folder / "outside.md").symlink_to("/etc/hostname")
    (folder / "large.txt").write_bytes(b"x" * 21_000_000)
    (folder / "notes.csv").write_text("id,notes\n1,a\n")
    run = ingestion.run()
    assert counts(run) == (1, 0, 0, 9)
    assert ingestion.texts() == GOOD
    assert ingestion.codes() == {
        "null.txt": "not_text",
        "encoding.md": "broken_encoding",
        "empty.md": "empty",
        "blank.md": "empty",
        "broken.pdf": "unparseable",
        "bomb.docx": "unparseable",
        "outside.md": "outside",
        "large.txt": "too_large",
        "notes.csv": "no_text_column",
    }
    assert ingestion.rejections()["encoding.md"]["reason"] == "byte 3 (0xff) is not UTF-8: save the file as UTF-8"
    assert not any(row["keeps_older_version"] for row in ingestion.rejections().values())
    assert ingestion.run()["state"] == "quiet"


def test_a_document_that_turns_bad_keeps_its_last_good_version(ingestion: Ingestion, folder: Path) -> None:
    (folder / "good.md").write_text("good")
    (folder / "a.md").write_text("first")
    ingestion.run()
    (folder / "a.md").write_bytes(b"\xff")
    run = ingestion.run()
    assert (counts(run), run["is_announced"]) == ((0, 0, 0, 1), False)
    assert ingestion.texts() == GOOD | {"a.md": "first"}
    assert ingestion.rejections()["a.md"]["keeps_older_version"]


def test_a_rejection_goes_when_the_document_is_good_again(ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.md").write_bytes(b"\xff")
    ingestion.run()
    (folder / "a.md").write_text("good again")
    run = ingestion.run()
    assert counts(run) == (1, 0, 0, 0)
    assert ingestion.rejections() == {}


def test_a_rejection_goes_with_its_file(ingestion: Ingestion, folder: Path) -> None:
    (folder / "good.md").write_text("good")
    (folder / "a.md").write_bytes(b"\xff")
    ingestion.run()
    (folder / "a.md").unlink()
    ingestion.run()
    assert ingestion.rejections() == {}


def test_a_rejection_remembers_since_when(ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.md").write_bytes(b"\xff")
    ingestion.run()
    first = ingestion.rejections()["a.md"]
    (folder / "a.md").write_bytes(b"\0")
    ingestion.run()
    second = ingestion.rejections()["a.md"]
    assert (second["reason_code"], second["first_rejected_at"]) == ("not_text", first["first_rejected_at"])
    assert second["last_rejected_at"] > first["last_rejected_at"]


def test_a_document_above_a_limit_is_read_when_the_limit_is_raised(ingestion: Ingestion, folder: Path) -> None:
    (folder / "large.txt").write_bytes(b"x" * 2_000_000)
    ingestion.run(max_document_megabytes=1)
    assert ingestion.run(max_document_megabytes=1)["state"] == "quiet"
    assert counts(ingestion.run(max_document_megabytes=3)) == (1, 0, 0, 0)


def test_a_document_of_50_megabytes_and_one_of_a_million_words_without_a_space_are_read_whole(ingestion: Ingestion, folder: Path) -> None:
    large = "A sentence of fifty characters, more or less so. \n" * 1_000_000
    (folder / "large.txt").write_text(large)
    (folder / "long.md").write_text("word" * 1_000_000)
    run = ingestion.run(max_document_megabytes=64)
    assert counts(run) == (2, 0, 0, 0)
    assert ingestion.texts() == {"large.txt": large, "long.md": "word" * 1_000_000}


def test_a_document_that_hangs_its_parser_stops_nothing_else(ingestion: Ingestion, folder: Path) -> None:
    (folder / "slow.pdf").write_bytes(slow_pdf())
    (folder / "good.pdf").write_bytes(pdf_of("good"))
    ingestion.run(parse_seconds=1)
    assert ingestion.codes() == {"slow.pdf": "too_slow"}
    assert set(ingestion.documents()) == {"good.pdf"}


def test_an_id_that_two_rows_use_belongs_to_the_first(ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.csv").write_text("id,text\n1,first\n1,second\n1,third\n")
    (folder / "b.csv").write_text("id,text\n1,fourth\n2,fifth\n")
    run = ingestion.run()
    assert (counts(run), ingestion.texts()) == ((2, 0, 0, 3), {"1": "first", "2": "fifth"})
    reasons = {row["source_uri"].rpartition("/")[2]: row["reason"] for row in ingestion.rows(REJECTED_DOCUMENTS)}
    assert reasons["a.csv"].startswith("line 3: the id is used already by a.csv line 2: ")
    assert reasons["b.csv"].startswith("line 2: the id is used already by a.csv line 2: ")
    assert ingestion.run()["state"] == "quiet"


def test_an_id_in_use_stays_with_the_file_that_has_it(ingestion: Ingestion, folder: Path) -> None:
    (folder / "b.csv").write_text("id,text\n1,first\n")
    ingestion.run()
    (folder / "a.csv").write_text("id,text\n1,second\n")
    assert counts(ingestion.run()) == (0, 0, 0, 1)
    assert ingestion.texts() == {"1": "first"}


def test_an_id_that_is_given_up_goes_to_the_row_that_waits_for_it(ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.csv").write_text("id,text\n1,first\n")
    (folder / "b.csv").write_text("id,text\n1,second\n")
    ingestion.run()
    (folder / "a.csv").write_text("id,text\n3,first\n")
    run = ingestion.run()
    assert (counts(run), ingestion.texts()) == ((1, 1, 0, 0), {"1": "second", "3": "first"})
    assert ingestion.rejections() == {}


def test_rows_that_leave_a_file_are_removed_and_bad_ones_keep_their_version(ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.csv").write_text("id,text\n1,one\n2,two\n3,three\n4,four\n")
    ingestion.run()
    (folder / "a.csv").write_text("id,text\n1,one\n3,\n4,four and a half\n")
    run = ingestion.run()
    assert counts(run) == (0, 1, 1, 1)
    assert ingestion.texts() == {"1": "one", "3": "three", "4": "four and a half"}
    assert ingestion.rejections()["3"]["keeps_older_version"]


def test_a_file_of_rows_that_breaks_keeps_all_its_documents(ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.csv").write_text("id,text\n1,one\n2,two\n")
    ingestion.run()
    (folder / "a.csv").write_text('id,text\n1,changed\n5,new\n2,"never closed\n')
    run = ingestion.run()
    assert counts(run) == (0, 0, 0, 1)
    assert ingestion.texts() == {"1": "one", "2": "two"}
    assert ingestion.rejections()["a.csv"]["keeps_older_version"]


def test_metadata_of_a_row_is_updated_without_touching_its_text(ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"id": "1", "text": "one", "owner": "Ana"}\n')
    ingestion.run()
    before = ingestion.documents()["1"]
    (folder / "a.jsonl").write_text('{"id": "1", "text": "one", "owner": "Bea"}\n')
    run = ingestion.run()
    after = ingestion.documents()["1"]
    assert (counts(run), run["is_announced"]) == ((0, 1, 0, 0), True)
    assert after["metadata"] == '{"owner": "Bea"}'
    assert (after["content_hash"], after["updated_at"]) == (before["content_hash"], before["updated_at"])
