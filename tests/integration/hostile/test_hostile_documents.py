"""Documents with hostile ids, names, titles, fields and texts: through ingestion, embedding, index, search, receipts and pages as text."""

import json
from pathlib import Path
from typing import Any

import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.ingest_tables import INGEST_TABLES, REJECTED_DOCUMENTS
from embedding_lakehouse.errors import ConfigurationError
from embedding_lakehouse.page.showing import Sources
from embedding_lakehouse.receipts import explain
from embedding_lakehouse.steps.set_up import create_views
from tests.batches import run_batch
from tests.hostile_values import LONG, MARKUP, PRINTABLE, TEXTS, UNPRINTABLE
from tests.index_fixtures import Following
from tests.ingest_runner import Ingestion
from tests.page_fixtures import client

# What a file can be called: no slash, at most 255 bytes. One that begins with a dot is hidden.
FILE_NAMES = [text for text in (*PRINTABLE.values(), "a\nb", "\x1b[2J") if "/" not in text and text[0] != "." and len(text.encode()) < 200]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "documents"
    source.mkdir()
    return source


@pytest.fixture
def ingestion(lake: Lake, folder: Path) -> Ingestion:
    for table in INGEST_TABLES:
        if lake.catalog.table_exists(table.name):
            lake.catalog.drop_table(table.name)
        ensure_table(lake.catalog, table)
    create_views(lake)
    return Ingestion(lake, str(folder))


def row(place: int, **fields: Any) -> str:
    return json.dumps({"id": f"row {place}", "text": f"The text of row {place}."} | fields)


def test_hostile_documents_are_text_all_the_way(ingestion: Ingestion, folder: Path, following: Following) -> None:
    lake = ingestion.lake
    for name in FILE_NAMES:
        (folder / f"{name}.md").write_text(f"# {MARKUP}\n\nThe text of {name}.")
    lines = [row(number, id=text, title=text, media_type=text, text=f"{text} {number}") for number, text in enumerate(TEXTS.values())]
    lines += [row(100, deep=[]).replace("[]", "[" * 5_000 + "]" * 5_000), row(101, number=0).replace(": 0}", ": 1e400}"), row(102)]
    lines += [row(103).replace(": ", ": " + "9" * 5_000 + " , ", 1), row(104, text="a" + "\u0315\u0300" * 50_000), row(105, id=True)]
    (folder / "rows.jsonl").write_text("\n".join(lines), "utf-8", "surrogatepass")
    tables = sorted(lake.catalog.list_tables("embeddings_db") + lake.catalog.list_tables("docs_db"))
    run = ingestion.run()

    named = {f"{name}.md" for name in FILE_NAMES if name.isprintable() or name == PRINTABLE["bidi"]}
    rows = {text for text in PRINTABLE.values() if len(text) <= 2_000 and "\n" not in text} | {"row 102"}
    assert set(ingestion.documents()) == named | rows
    assert run["rejected_documents"] == len(FILE_NAMES) + len(lines) - len(named | rows)
    reasons = [rejection["reason"] for rejection in ingestion.rows(REJECTED_DOCUMENTS)]
    assert all(len(reason) < 500 and reason.isprintable() for reason in reasons), reasons
    assert {document["media_type"] for document in ingestion.documents().values()} == {"text/markdown", "application/jsonl"}

    batch = run_batch(lake, following.profile.name)
    assert following.sync()[0] > 0
    records = following.records()
    assert {record.metadata["doc_id"] for record in records.values()} == named | rows
    documents = {record_id: record.metadata["doc_id"] for record_id, record in records.items()}
    explained = explain(list(records), following.profile.name, lake=lake, documents=documents)
    assert explained.unknown == {}
    assert all(
        receipt.version.is_text_verified and chunk_id(receipt.doc_id, receipt.passage.text) == receipt.record_id
        for receipt in explained.receipts
    )

    page = client(Sources(sql=lambda: lake.sql, lake=lambda: lake, service=lambda: following.service))
    profile = following.profile.name
    shown = [
        page.get("/documents", params={"doc_id": "o", "profile": profile}),
        page.get(f"/batches/{batch.batch_id}", params={"profile": profile}),
    ]
    for doc_id in (PRINTABLE["markup"], PRINTABLE["sql"], PRINTABLE["template"], f"{PRINTABLE['bidi']}.md"):
        shown.append(page.get("/document", params={"doc_id": doc_id, "profile": profile}))
    record_id = next(record_id for record_id, doc_id in documents.items() if doc_id == MARKUP)
    shown.append(page.get("/receipt", params={"record_id": record_id, "doc_id": MARKUP, "profile": profile}))
    assert [answer.status_code for answer in shown] == [200] * len(shown)
    assert not any("<script>document" in answer.text or "<img" in answer.text or 'href="javascript' in answer.text for answer in shown)
    assert sorted(lake.catalog.list_tables("embeddings_db") + lake.catalog.list_tables("docs_db")) == tables


def test_hostile_params_of_an_ingestion_choose_nothing_or_are_part_of_an_id(ingestion: Ingestion, folder: Path) -> None:
    (folder / "a.md").write_text("alpha")
    (folder / "b.csv").write_text("id,text\n1,beta\n")
    for name in ("pattern", "id_prefix", "id_column", "text_column", "title_column"):
        for text in UNPRINTABLE.values():
            with pytest.raises(ConfigurationError, match=name) as refused:
                ingestion.run(**{name: text})
            assert len(str(refused.value)) < 500 and str(refused.value).isprintable()
    hostile = PRINTABLE["sql"]
    ingestion.run(id_prefix=hostile, id_column=hostile, text_column=PRINTABLE["template"], title_column=hostile)
    assert (set(ingestion.documents()), set(ingestion.rejections())) == ({f"{hostile}a.md"}, {f"{hostile}b.csv"})
    ingestion.run(pattern="*[!" + "*a" * 500, allow_deletes=True)
    assert ingestion.documents() == {}


def test_what_leaves_the_folder_or_never_ends_stops_none_of_its_neighbours(ingestion: Ingestion, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("the secret")
    (folder / "good.md").write_text("good")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "zero.md").symlink_to("/dev/zero")
    (folder / "self.md").symlink_to("self.md")
    (folder / "up").symlink_to(tmp_path)
    (folder / "marks.md").write_text("a" + "\u0315\u0300" * 1_000_000)
    (folder / "title.html").write_bytes(b"<title>" * 100_000 + b"<p>a title without an end</p>")
    (folder / "wide.html").write_bytes(b"<table>" + (b"<tr>" + b'<td colspan="1000">x</td>' * 10) * 2_000 + b"</table>")
    ingestion.run(max_document_megabytes=5, parse_seconds=20)
    assert ingestion.texts()["good.md"] == "good"
    codes = ingestion.codes()
    assert {name: codes.get(name) for name in ("link.md", "zero.md", "up", "marks.md", "wide.html")} == {
        "link.md": "outside",
        "zero.md": "outside",
        "up": "outside",
        "marks.md": "not_text",
        "wide.html": "too_large",
    }
    assert codes["self.md"] == "unreadable"
    assert "too_slow" not in codes.values()
    assert "the secret" not in "".join(ingestion.texts().values())


def test_a_prefix_of_a_bucket_may_be_called_anything_and_is_refused_where_it_is_no_name(ingestion: Ingestion) -> None:
    for source in ("s3://", "s3://a b/c", "s3://../x", "s3:///x", "s3://bucket\n/x", f"s3://{LONG}/x", "/a\0b", "/\ud800", "file://../x"):
        with pytest.raises(ConfigurationError) as refused:
            ingestion.run(source=source)
        assert len(str(refused.value)) < 500 and str(refused.value).isprintable()
