"""What parsing makes of files, good and hostile, with the real parsers in the real child process."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from embedding_lakehouse.clients.parsing.reading import documents_of
from embedding_lakehouse.clients.parsing.sandbox import Sandbox
from embedding_lakehouse.clients.sources.folder import FolderSource
from embedding_lakehouse.core.documents import Document, Rejection
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.listing import ListedFile
from embedding_lakehouse.core.rows import Outcome
from tests.hostile_files import BILLION_LAUGHS, docx, lying_docx, pdf, pdf_of, pdf_of_objects, slow_pdf

PATIENCE = 60
READ_ONE = """
import sys
from pathlib import Path
from embedding_lakehouse.clients.parsing.sandbox import Sandbox

with Sandbox(60) as sandbox:
    print(sandbox.parse(Path(sys.argv[1]).read_bytes(), "application/pdf", 1_000)[0])
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(PATIENCE) as started:
        yield started


class Reader:
    """Reads one file as a shard does."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox

    def __call__(self, name: str, content: bytes, sandbox: Sandbox | None = None, **settings) -> Outcome:
        (self.folder / name).write_bytes(content)
        file = ListedFile(name, len(content), None, "")
        asked = IngestSettings(str(self.folder), **settings)
        (outcome,) = documents_of(FolderSource(str(self.folder)), file, asked, sandbox or self.sandbox)
        return outcome


@pytest.fixture
def read(tmp_path: Path, sandbox: Sandbox) -> Reader:
    return Reader(tmp_path, sandbox)


def test_a_page_becomes_markdown(read: Reader) -> None:
    page = (
        b"<html><head><title>Leave &amp; sick</title><style>x{}</style></head><body><nav>menu</nav><form><h1>Leave</h1>"
        b"<p>a<b>b</b></p><ul><li>c</ul><script>d()</script><table><tr><th>e<th>f<tr><td>1<td>2</table></form></body></html>"
    )
    document = read("a.html", page)
    assert document == Document("a.html", "# Leave\n\na**b**\n\n- c\n\n| e | f |\n| --- | --- |\n| 1 | 2 |\n", "Leave & sick", "text/html")


@pytest.mark.parametrize(
    "page",
    [
        "<p>prüfen</p>".encode(),
        "\ufeff<p>prüfen</p>".encode("utf-16-le"),
        '<meta charset="iso-8859-1"><p>prüfen</p>'.encode("latin-1"),
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1252"><p>prüfen</p>'.encode("cp1252"),
    ],
)
def test_a_page_is_decoded_by_what_it_declares(read: Reader, page: bytes) -> None:
    assert read("a.html", page).text.strip() == "prüfen"


@pytest.mark.parametrize(
    "page",
    [
        b"<p>\xff</p>",
        b'<meta charset="utf-8"><p>\xff</p>',
        b'<meta charset="klingon"><p>a</p>',
        b'<meta charset="unicode_escape">\\ud800',
        b'<meta charset="idna"><p>\xff',
    ],
)
def test_a_page_that_is_not_what_it_declares_is_rejected(read: Reader, page: bytes) -> None:
    assert read("a.html", page).code == "broken_encoding"


def test_a_word_document_becomes_markdown(read: Reader) -> None:
    document = read("a.docx", docx("Leave policy", "Ask your manager."))
    assert re.fullmatch(r"#+ Leave policy\n\nAsk your manager\.\n", document.text)
    assert document.title == "Leave policy"


def test_the_text_of_a_pdf_is_found(read: Reader) -> None:
    assert read("a.pdf", pdf_of("Ask your manager.")).text.strip() == "Ask your manager."


def test_a_pdf_is_read_where_the_parser_never_ran_and_with_no_library_of_others(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    planted = temporary / "kreuzberg-pdfium" / "libpdfium.so"
    planted.parent.mkdir(parents=True)
    planted.write_bytes(b"of somebody else")
    (tmp_path / "a.pdf").write_bytes(pdf_of("Ask your manager."))

    environment = os.environ | {"TMPDIR": str(temporary)}
    read = subprocess.run([sys.executable, "-c", READ_ONE, str(tmp_path / "a.pdf")], env=environment, capture_output=True, text=True)

    assert (read.stdout.strip(), read.stderr) == ("Ask your manager.", "")
    assert planted.read_bytes() == b"of somebody else"
    assert [path.name for path in temporary.iterdir()] == ["kreuzberg-pdfium"]


def test_a_pdf_without_text_asks_for_text_recognition(read: Reader) -> None:
    rejection = read("a.pdf", pdf(b"0 0 m 100 100 l S"))
    assert (rejection.code, "OCR" in rejection.reason) == ("empty", True)


def test_plain_formats_keep_their_text(read: Reader) -> None:
    text = "Title\n=====\n\n.. note:: <b>x</b>\n"
    assert read("a.rst", text.encode()) == Document("a.rst", text, "Title", "text/x-rst")
    assert read("a.txt", text.encode()) == Document("a.txt", text, None, "text/plain")


@pytest.mark.parametrize("name", ["a.pdf", "a.docx"])
@pytest.mark.parametrize("content", [b"", b"no such format" * 100, b"%PDF-1.4\n" + bytes(1000), b"PK\x03\x04" + bytes(1000)])
def test_a_broken_file_is_rejected(read: Reader, name: str, content: bytes) -> None:
    assert read(name, content).code == "unparseable"


def test_a_zip_bomb_is_rejected(read: Reader) -> None:
    bomb = docx("a" * 200_000_000)
    rejection = read("a.docx", bomb)
    assert len(bomb) < 300_000
    assert rejection.code == "unparseable"


def test_entities_of_a_word_document_are_not_expanded(read: Reader) -> None:
    outcome = read("a.docx", docx("Heading", "&e9;", prologue=BILLION_LAUGHS))
    assert isinstance(outcome, Rejection) or len(outcome.text) < 100


def test_a_word_document_reads_no_other_file(read: Reader, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    prologue = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
    outcome = read("a.docx", docx("Heading", "&e;", prologue=prologue))
    assert isinstance(outcome, Rejection) or "the secret" not in outcome.text


def test_a_page_fetches_nothing(read: Reader) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        page = f'<link rel="stylesheet" href="{address}/a.css"><img src="{address}/a.png"><iframe src="{address}/a"></iframe><p>text</p>'
        read("a.html", page.encode())
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_zip_that_lies_about_its_sizes_is_rejected_or_cut(read: Reader) -> None:
    outcome = read("a.docx", lying_docx("a" * 200_000_000))
    assert isinstance(outcome, Rejection) or len(outcome.text) < 1_000


def test_a_package_in_a_package_is_not_unpacked(read: Reader) -> None:
    inner = docx("Inner", "the inner text")
    outcome = read("a.docx", docx("Heading", "text", parts={f"word/embeddings/{number}.docx": inner for number in range(3)}))
    assert isinstance(outcome, Document) and "the inner text" not in outcome.text


@pytest.mark.parametrize("target", ["file:///etc/hostname", "{server}/a.docx", "../../../../etc/hostname"])
def test_what_a_word_document_refers_to_is_neither_fetched_nor_read(read: Reader, target: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        to = target.format(server=f"http://127.0.0.1:{server.getsockname()[1]}")
        kinds = ("attachedTemplate", "image", "oleObject", "aFChunk", "subDocument", "hyperlink")
        base = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        related = "".join(
            f'<Relationship Id="r{number}" Type="{base}/{kind}" Target="{to}" TargetMode="External"/>' for number, kind in enumerate(kinds)
        )
        package = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        document = docx("Heading", "text", parts={"word/_rels/document.xml.rels": f"{package}{related}</Relationships>"})
        outcome = read("a.docx", document)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert isinstance(outcome, Document) and Path("/etc/hostname").read_text().strip() not in outcome.text


def test_nothing_of_a_pdf_is_run_fetched_or_unpacked(read: Reader) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = b"http://127.0.0.1:%d/a" % server.getsockname()[1]
        stream = b"BT /F1 12 Tf 72 720 Td (seen) Tj ET"
        outcome = read(
            "a.pdf",
            pdf_of_objects(
                b"<< /Type /Catalog /Pages 2 0 R /OpenAction 6 0 R /Names << /EmbeddedFiles << /Names [(a.txt) 8 0 R] >> >> >>",
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /AA << /O 7 0 R >> "
                b"/Resources << /Font << /F1 5 0 R >> >> >>",
                b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
                b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
                b"<< /S /Launch /F (/bin/sh) /Win << /F (cmd.exe) >> /Next << /S /URI /URI (%s) >> >>" % address,
                b"<< /S /JavaScript /JS (app.launchURL('%s')) >>" % address,
                b"<< /Type /Filespec /F (a.txt) /EF << /F 9 0 R >> >>",
                b"<< /Type /EmbeddedFile /Length 15 >>\nstream\nthe hidden text\nendstream",
            ),
        )
        with pytest.raises(BlockingIOError):
            server.accept()
    assert isinstance(outcome, Document) and outcome.text.strip() == "seen"


@pytest.mark.parametrize(
    "content",
    [
        pdf_of_objects(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"),
        pdf_of_objects(b"<< /Type /Catalog /Pages 1 0 R /X " + b"[" * 100_000 + b"]" * 100_000 + b" >>"),
    ],
    ids=["pages that hold themselves", "nested a hundred thousand deep"],
)
def test_a_pdf_without_an_end_is_rejected(read: Reader, content: bytes) -> None:
    assert isinstance(read("a.pdf", content), Rejection)


def test_a_small_page_of_a_large_table_is_too_large(read: Reader) -> None:
    page = b"<table>" + (b"<tr>" + b'<td colspan="1000">x</td>' * 10 + b"</tr>") * 200 + b"</table>"
    rejection = read("a.html", page, max_document_megabytes=1)
    assert (len(page) < 60_000, rejection.code) == (True, "too_large")


def test_title_tags_that_never_end_take_no_time(read: Reader) -> None:
    with Sandbox(seconds=10) as impatient:
        outcome = read("a.html", b"<title>" * 100_000 + b"<p>text</p>", impatient)
    assert isinstance(outcome, Document) or outcome.code != "too_slow"


def test_the_child_writes_no_file(read: Reader) -> None:
    with Sandbox(PATIENCE) as own:
        read("a.pdf", pdf_of("Good"), own)
        child = max(psutil.Process().children(), key=lambda child: child.create_time())
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)


def test_a_page_nested_beyond_the_parser_is_rejected_and_not_cut(read: Reader) -> None:
    page = b"<div>" * 5_000 + b"deep" + b"</div>" * 5_000
    assert read("a.html", page).code == "unparseable"


def test_a_page_of_one_endless_word_is_read(read: Reader) -> None:
    assert len(read("a.html", b"<p>" + b"word" * 1_000_000).text) > 4_000_000


def test_a_slow_document_is_given_up_and_the_next_one_is_read(read: Reader) -> None:
    with Sandbox(seconds=1) as impatient:
        slow = read("slow.pdf", slow_pdf(), impatient)
        following = read("a.pdf", pdf_of("Good"), impatient)
    assert (slow.code, "raise parse_seconds" in slow.reason) == ("too_slow", True)
    assert following.text.strip() == "Good"


def test_a_parser_that_is_killed_costs_its_document_this_time_and_nothing_else(read: Reader) -> None:
    with Sandbox(PATIENCE) as victim:
        read("a.pdf", pdf_of("Good"), victim)
        threading.Thread(target=_end_busy_child, args=[signal.SIGKILL]).start()
        killed = read("slow.pdf", slow_pdf(), victim)
        following = read("a.pdf", pdf_of("Good"), victim)
    # The code of what is read again with the next ingestion: the document is not to blame.
    assert killed.code == "unreadable"
    assert "SIGKILL" in killed.reason
    assert following.text.strip() == "Good"


def test_a_document_that_crashes_its_parser_is_to_blame(read: Reader) -> None:
    with Sandbox(PATIENCE) as victim:
        read("a.pdf", pdf_of("Good"), victim)
        threading.Thread(target=_end_busy_child, args=[signal.SIGSEGV]).start()
        crashed = read("slow.pdf", slow_pdf(), victim)
    assert (crashed.code, "SIGSEGV" in crashed.reason) == ("unparseable", True)


def _end_busy_child(signal_number: int) -> None:
    time.sleep(0.5)
    max(psutil.Process().children(), key=lambda child: child.create_time()).send_signal(signal_number)


def test_no_child_outlives_its_sandbox(read: Reader) -> None:
    before = set(psutil.Process().children())
    with Sandbox(PATIENCE) as own:
        read("a.pdf", pdf_of("Good"), own)
        assert set(psutil.Process().children()) > before
    assert set(psutil.Process().children()) == before


def test_the_child_gets_no_credentials(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    with Sandbox(PATIENCE) as own:
        read("a.pdf", pdf_of("Good"), own)
        child = max(psutil.Process().children(), key=lambda child: child.create_time())
        assert "a-secret" not in child.environ().values()


def test_a_file_above_the_limit_is_rejected_before_it_is_read(read: Reader) -> None:
    rejection = read("a.txt", b"x" * 2_000_000, max_document_megabytes=1)
    assert (rejection.code, "raise max_document_megabytes" in rejection.reason) == ("too_large", True)


def test_a_file_that_grew_since_it_was_listed_is_rejected(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 2_000_000)
    asked = IngestSettings(str(tmp_path), max_document_megabytes=1)
    (outcome,) = documents_of(FolderSource(str(tmp_path)), ListedFile("a.txt", 10, None, ""), asked, sandbox)
    assert outcome.code == "too_large"


def test_a_file_that_vanished_since_it_was_listed_is_rejected(tmp_path: Path, sandbox: Sandbox) -> None:
    (outcome,) = documents_of(FolderSource(str(tmp_path)), ListedFile("a.csv", 10, None, ""), IngestSettings(str(tmp_path)), sandbox)
    assert outcome.code == "unreadable"


def test_a_name_with_a_control_character_is_rejected(read: Reader) -> None:
    assert read("a\nb.md", b"text").code == "bad_id"


def test_parsing_leaves_no_file_behind(read: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    working_folder = tmp_path / "working"
    working_folder.mkdir()
    monkeypatch.chdir(working_folder)
    with Sandbox(PATIENCE) as own:
        read("a.pdf", pdf_of("Good"), own)
    assert list(working_folder.iterdir()) == []
