"""What killed tasks leave behind and nobody else looks for: branches of batches that ended, texts of ingestions that ended."""

from datetime import timedelta
from pathlib import Path

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.ingest_runs import STAGING, journal
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.batches import PUBLISHED, branch_name
from embedding_lakehouse.core.ingest_tables import INGEST_RUNS, STAGED_DOCUMENTS
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, Table
from embedding_lakehouse.steps.embed_documents import planning
from embedding_lakehouse.steps.ingest_documents.comparing import compare_documents
from embedding_lakehouse.steps.ingest_documents.listing import list_files
from embedding_lakehouse.steps.ingest_documents.merging import merge_documents
from embedding_lakehouse.steps.ingest_documents.parsing import parse_files
from tests.batches import BatchRun, leave_branches, put_documents
from tests.ingest_runner import Ingestion
from tests.interruptions import watched_catalog
from tests.maintenance_fixtures import Maintaining, files_of

TABLES = (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)


class Killed(BaseException):
    """The end of a task."""


def branches(lake: Lake, table: Table) -> set[str]:
    return set(lake.table(table).refs()) - {"main"}


def files_of_batch(lake: Lake, batch_id: str) -> list[Path]:
    return [file for table in TABLES for file in files_of(lake, table) if f"batch_id={batch_id}" in str(file)]


def test_branches_of_a_batch_that_was_given_up_go_with_their_files_and_those_of_an_open_one_stay(maintaining: Maintaining) -> None:
    lake = maintaining.lake
    put_documents(lake, {"a": "Alpha.", "b": "Beta."})
    ended = BatchRun(lake).until("embed")
    planning.discard_batch(lake, ended.row, "given up")
    leave_branches(ended)
    under_way = BatchRun(lake).until("commit")
    both = {branch_name(ended.batch_id), branch_name(under_way.batch_id)}

    young = maintaining.run(*TABLES, orphan_age=timedelta(days=1))
    assert [(row["branches_dropped"], branches(lake, table)) for table, row in zip(TABLES, young.values(), strict=True)] == [(0, both)] * 2
    dry = maintaining.run(*TABLES, is_dry_run=True)
    assert [branches(lake, table) for table in TABLES] == [both] * 2
    done = maintaining.run(*TABLES)
    for name in ("branches_dropped", "snapshots_expired"):
        assert {table: row[name] for table, row in dry.items()} == {table: row[name] for table, row in done.items()}, name
    assert [row["branches_dropped"] for row in done.values()] == [1, 1]

    assert [branches(lake, table) for table in TABLES] == [{branch_name(under_way.batch_id)}] * 2
    assert files_of_batch(lake, ended.batch_id) == []
    under_way.publish()
    assert under_way.row["state"] == PUBLISHED


@pytest.fixture
def ingestion(maintaining: Maintaining, tmp_path: Path) -> Ingestion:
    """Ingestions of a folder with one document."""
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("Alpha is asleep.")
    return Ingestion(maintaining.lake, str(folder))


def killed_once_ended(lake: Lake, stack: Stack) -> Lake:
    """The lake of an ingestion that is killed right after it recorded how it ended."""

    def watch(moment: str, name: str) -> None:
        if (moment, name) == ("after", INGEST_RUNS.name) and all(row["finished_at"] for row in journal(lake).rows()):
            raise Killed

    return Lake(watched_catalog(stack, watch), lake.sql)


def staged_ingestions(ingestion: Ingestion) -> set[str]:
    """The ingestions that have something staged."""
    return {row["ingest_id"] for table in STAGING for row in ingestion.rows(table)}


def test_texts_that_an_ended_ingestion_left_staged_go_and_those_of_another_stay(
    ingestion: Ingestion, maintaining: Maintaining, trino_stack: Stack
) -> None:
    lake = maintaining.lake
    with pytest.raises(Killed):
        Ingestion(killed_once_ended(lake, trino_stack), ingestion.source).run()
    (ended,) = staged_ingestions(ingestion)
    (Path(ingestion.source) / "b.md").write_text("Beta is awake.")
    asked = {"source": ingestion.source}
    staged = [parse_files(**shard, params=asked, lake=lake) for shard in list_files(asked, "a-run", lake)]
    comparison = compare_documents(staged, asked, lake)
    assert staged_ingestions(ingestion) == {ended, comparison["ingest_id"]}

    maintaining.run(*STAGING, orphan_age=timedelta(days=1))
    assert staged_ingestions(ingestion) == {ended, comparison["ingest_id"]}
    done = maintaining.run(*STAGING)
    assert done[STAGED_DOCUMENTS.name]["finished_keys"] == 1
    assert staged_ingestions(ingestion) == {comparison["ingest_id"]}
    # The state of before is of this moment, and goes with the next run.
    maintaining.run(STAGED_DOCUMENTS)
    assert not [file for file in files_of(lake, STAGED_DOCUMENTS) if f"ingest_id={ended}" in str(file)]
    merge_documents(comparison, asked, lake)
    assert ingestion.texts() == {"a.md": "Alpha is asleep.", "b.md": "Beta is awake."}
