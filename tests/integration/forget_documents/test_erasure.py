"""Documents are erased from all that a lake with two profiles, an old release and an open batch has, and nothing brings them back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dev.stack import Stack
from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.forgetting.selection import chosen_documents
from embedding_lakehouse.clients.holds import Hold
from embedding_lakehouse.clients.import_files import SCHEMA, staging_folder
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.moments import find_moment
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.erasures import Wish
from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.monitoring_tables import ALERTS, QUALITY_RESULTS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, SOURCE_DOCUMENTS, Table
from embedding_lakehouse.errors import ConflictError, InputError, NothingToDo
from embedding_lakehouse.receipts import explain
from embedding_lakehouse.steps.embed_documents import planning
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from embedding_lakehouse.steps.roll_back_embeddings.planning import plan_roll_back
from embedding_lakehouse.steps.set_up_index import create_index
from tests.batches import BatchRun, put_source_rows, run_batch
from tests.forgetting_fixtures import PARAMS, Forgetting, hits, stored
from tests.ingest_runner import Ingestion
from tests.lake_builder import LakeBuilder
from tests.release_fixtures import Rebuilding

KEPT = "# Kept\n\nA document that stays what it is, whatever else is forgotten.\n\n"


@dataclass
class Corpus:
    """A source folder with documents to forget and to keep; each version of a forgotten one has a mark of its own."""

    folder: Path
    key: str

    @property
    def file(self) -> str:
        return f"people/private-{self.key}.md"

    @property
    def row(self) -> str:
        return f"customer-{self.key}"

    @property
    def ids(self) -> list[str]:
        return [self.file, self.row]

    @property
    def marks(self) -> list[str]:
        """What is to be found nowhere: the texts of every version, and the ids."""
        return [*self.texts, self.row, f"private-{self.key}"]

    @property
    def texts(self) -> list[str]:
        return [f"zebra{self.key}n{number}" for number in (1, 2, 3)] + [f"gnu{self.key}"]

    def write(self, number: int) -> None:
        """Put the documents' versions of that number in place."""
        private = "\n\n".join(f"# Part {part}\n\nThe {self.texts[number - 1]} lives in house {part}." for part in range(3))
        (self.folder / "people").mkdir(exist_ok=True)
        (self.folder / self.file).write_text(private)
        (self.folder / "kept.md").write_text(f"{KEPT}Version {number} of it, which ends here.")
        rows = ["id,text,tenant", f'{self.row},"The gnu{self.key} is asleep in the north.",acme', 'customer-kept,"A row that stays.",other']
        (self.folder / "rows.csv").write_text("\n".join(rows))


@pytest.fixture
def corpus(ingestion: Ingestion) -> Corpus:
    return Corpus(Path(ingestion.source), uuid4().hex[:10])


@pytest.fixture
def other(rebuilding: Rebuilding) -> Rebuilding:
    """A second profile with an index of its own."""
    create_index("other", lake=rebuilding.lake, service=rebuilding.service)
    return Rebuilding(rebuilding.lake, settings.profile("other"), rebuilding.service)


@pytest.fixture
def filled(corpus: Corpus, ingestion: Ingestion, rebuilding: Rebuilding, other: Rebuilding) -> Corpus:
    """Two versions published under two profiles, a retired release, an alert and a check that quote, an export, and an open batch."""
    for number in (1, 2):
        corpus.write(number)
        ingestion.run()
        for index in (rebuilding, other) if number == 1 else (rebuilding,):
            run_batch(index.lake, index.profile.name)
            index.sync()
        if number == 1:
            rebuilding.rebuild()
    corpus.write(3)
    ingestion.run()
    BatchRun(rebuilding.lake, rebuilding.profile.name).until("embed")
    quote(rebuilding, corpus)
    export(rebuilding, corpus)
    return corpus


def quote(rebuilding: Rebuilding, corpus: Corpus) -> None:
    """What a check and an alert can say of documents."""
    said = [
        (QUALITY_RESULTS, {"sample": f'[{{"doc_id": "{corpus.file}"}}, {{"doc_id": "kept.md"}}]', "check_name": "a check"}),
        (ALERTS, {"message": f"the row {corpus.row!r} has no vector", "summary": "a row has no vector", "alert_id": corpus.key}),
    ]
    for declared, row in said:
        table = rebuilding.lake.table(declared)
        table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))


def export(rebuilding: Rebuilding, corpus: Corpus) -> None:
    """A file for a bulk import that a dead rebuild left."""
    folder = Path(staging_folder(rebuilding.lake, "").removeprefix("file://")) / f"left-{corpus.key}"
    folder.mkdir(parents=True)
    row = {"id": ["0" * 64], "values": [[1.0] * 8], "metadata": [f'{{"doc_id": "{corpus.file}", "text": "{corpus.texts[0]}"}}']}
    pq.write_table(pa.table(row, schema=SCHEMA), folder / "000.parquet")


def kept_records(*indexes: Rebuilding) -> dict[str, bytes]:
    """The vectors of the documents that are kept, in every release."""
    found = {}
    for index in indexes:
        for release in Releases(index.lake).rows():
            if release["profile"] == index.profile.name:
                ids = list(index.index.list_ids(release["namespace"]))
                for record in index.index.fetch(release["namespace"], ids).values():
                    if "kept" in record.metadata["doc_id"]:
                        found[f"{release['release_id']} {record.record_id}"] = record.values.tobytes()
    assert found
    return found


def documents_in(index: Rebuilding) -> set[str]:
    """The documents of the live release."""
    return {record.metadata["doc_id"] for record in index.records().values()}


def receipt_of_first_version(index: Rebuilding) -> str | None:
    """The kept document's first version, as its vectors' receipt tells it."""
    rows = [row for row in rows_of(index.lake, DOCUMENT_EMBEDDINGS) if row["doc_id"] == "kept.md" and "Version 1" in row["chunk_text"]]
    (receipt,) = explain([rows[0]["chunk_id"]], lake=index.lake, profile_name=rows[0]["profile"]).receipts
    assert receipt.version.document_text and "Version 1" in receipt.version.document_text
    return receipt.version.document_text


def rows_of(lake: Lake, table: Table) -> list[dict[str, Any]]:
    return lake.table(table).scan().to_arrow().to_pylist()


def test_documents_are_erased_everywhere_and_nothing_brings_them_back(
    filled: Corpus, forgetting: Forgetting, ingestion: Ingestion, rebuilding: Rebuilding, other: Rebuilding, lake_environment: Stack
) -> None:
    home, lake = lake_environment.home, rebuilding.lake
    assert {hit.rpartition(": ")[2] for hit in hits(home, filled.marks)} == set(filled.marks)
    kept = kept_records(rebuilding, other)
    receipt = receipt_of_first_version(rebuilding)
    before = stored(home)
    with pytest.raises(NothingToDo, match=r"2 documents are erased for good"):
        forgetting.plan(doc_ids=filled.ids, dry_run=True)
    plan = forgetting.plan(doc_ids=filled.ids)
    assert stored(home) == before
    assert not any(mark in str(plan) for mark in filled.marks)

    certificate = forgetting.finish(plan, doc_ids=filled.ids)
    assert hits(home, filled.marks) == []
    assert certificate["checked"]["left"] == {}
    assert certificate["records_removed"].keys() == {rebuilding.named("r1"), rebuilding.named("r2"), "other-r1"}
    assert all(count > 0 for count in certificate["records_removed"].values())
    assert not any(mark in str(certificate) for mark in filled.marks)

    assert kept_records(rebuilding, other) == kept
    assert receipt_of_first_version(rebuilding) == receipt
    states = {row["state"] for row in batches.journal(lake).rows()}
    assert states == {"published", "discarded"}
    assert [row["sample"] for row in rows_of(lake, QUALITY_RESULTS)] == ['[{"doc_id": "kept.md"}]']
    assert filled.row not in rows_of(lake, ALERTS)[-1]["message"]

    with pytest.raises(NothingToDo, match="dry run"):
        forgetting.plan(doc_ids=filled.ids, dry_run=True)
    run_batch(lake, rebuilding.profile.name)
    rebuilding.sync()
    assert documents_in(rebuilding) == {"kept.md", "customer-kept"}
    rebuilding.switch()
    assert documents_in(rebuilding) == {"kept.md", "customer-kept"}

    rolled = batches.journal(lake).rows()
    first = min((row for row in rolled if row["profile"] == rebuilding.profile.name), key=lambda row: row["batch_number"])
    apply_roll_back(plan_roll_back(rebuilding.profile.name, first["batch_id"], reason="a test", lake=lake), lake=lake)
    rebuilding.sync()
    assert documents_in(rebuilding) == {"kept.md", "customer-kept"}

    again = ingestion.run()
    assert ingestion.codes() == {filled.file: "forgotten"}
    assert "remove it from the source" in ingestion.rejections()[filled.file]["reason"]
    assert again["rejected_documents"] == 1
    assert hits(home, filled.texts) == []

    with pytest.raises(NothingToDo, match="1 tombstones are lifted"):
        forgetting.forget(doc_ids=[filled.file], lift=True)
    ingestion.run()
    assert filled.file in ingestion.texts()
    assert hits(home, [filled.texts[2]])


def test_a_filter_binds_what_it_is_given_and_documents_that_come_back_another_way_are_left_out(
    builder: LakeBuilder, forgetting: Forgetting, rebuilding: Rebuilding
) -> None:
    lake, key = rebuilding.lake, uuid4().hex[:10]
    names = [f"{key}/a'b.md", f"{key}/c.md", f"other {key}"]
    rows = [{"doc_id": name, "document_text": f"Text of {name}.", "content_hash": content_hash(name)} for name in names]
    rows[0] |= {"metadata": '{"tenant": "o\'neill", "level": 3}', "source_uri": f"s3://bucket/{key}/a"}
    rows[1] |= {"metadata": "no JSON", "source_uri": f"s3://bucket/{key}/c"}
    put_source_rows(lake, rows)
    builder.publish({name: [f"Text of {name}."] for name in names})

    def chosen(**params: Any) -> set[str]:
        return set(chosen_documents(lake, Wish.from_params(PARAMS | params)))

    assert chosen(doc_id_prefix=f"{key}/") == set(names[:2])
    assert chosen(source_uri_prefix=f"s3://bucket/{key}/", metadata_field="tenant", metadata_value="o'neill") == {names[0]}
    assert chosen(metadata_field="level", metadata_value="3") == {names[0]}
    for hostile in ("' or 1 = 1 --", "%", "_", '"; drop table docs_db.source_documents; --'):
        with pytest.raises(InputError, match="no document is meant"):
            chosen(doc_id_prefix=hostile)

    Hold(lake, "case").keep_moment(find_moment(lake, rebuilding.profile.name, ""))
    with pytest.raises(InputError, match="the hold 'case' keeps"):
        forgetting.plan(doc_id_prefix=f"{key}/")
    wanted = {"doc_id_prefix": f"{key}/", "despite_holds": ["case"]}
    plan = forgetting.plan(**wanted)
    put_source_rows(lake, [*rows, {"doc_id": f"{key}/new"}])
    with pytest.raises(ConflictError, match="other documents now than when the plan was approved"):
        forgetting.finish(plan, **wanted)
    put_source_rows(lake, rows)
    forgetting.forget(**wanted)
    assert {row["doc_id"] for row in rows_of(lake, SOURCE_DOCUMENTS)} == {names[2]}

    put_source_rows(lake, rows)
    # Under a profile that never embedded anything, only what was kept is new.
    assert planning.detect_changes("small", lake)["new"] == 1
    builder.publish({names[0]: ["It came back."]})
    with pytest.raises(ConflictError, match="a document that was forgotten"):
        rebuilding.sync()
    assert rebuilding.index.record_count(rebuilding.namespace) == 0
