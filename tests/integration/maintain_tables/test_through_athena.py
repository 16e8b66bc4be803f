"""Maintenance where Athena is the SQL engine: it compacts by `optimize`, the rest is PyIceberg's, and the report says what the table says.

Athena is a stand-in over HTTP here, which rewrites with a real Trino.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.sql import engine_from_connection
from embedding_lakehouse.core.tables import BATCH_CHUNKS, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS, Table
from tests.athena_stand_in import START, AthenaOnTrino
from tests.batches import current_chunks, put_documents, run_batch
from tests.maintenance_fixtures import Maintaining

PROFILES = ("small", "other")
READ = (SOURCE_DOCUMENTS, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)


@pytest.fixture
def stand_in(trino_stack: Stack) -> Iterator[AthenaOnTrino]:
    """Athena, on the session's Trino."""
    with AthenaOnTrino(trino_stack) as server:
        yield server


@pytest.fixture
def through_athena(maintaining: Maintaining, stand_in: AthenaOnTrino, monkeypatch: pytest.MonkeyPatch) -> Maintaining:
    """Maintenance of the lake through a connection of type `athena`."""
    monkeypatch.setenv("AIRFLOW_CONN_ATHENA", stand_in.connection)
    return replace(maintaining, lake=Lake(maintaining.lake.catalog, engine_from_connection("athena")))


def embed(lake: Lake, batches: int, *profiles: str) -> None:
    """Publish batches of an edited document and an unchanged one, under each of the profiles."""
    for number in range(batches):
        put_documents(lake, {"kept": "A text that stays.", "edited": f"Edition {number}."})
        for profile in profiles or PROFILES[:1]:
            run_batch(lake, profile)


def optimized(stand_in: AthenaOnTrino) -> list[str]:
    """The tables that Athena was asked to compact, in order; it was asked nothing else that writes."""
    asked = [body["QueryString"] for body in stand_in.asked(START)]
    writes = [text for text in asked if not text.startswith(("select", "with"))]
    assert all(text.startswith("optimize ") and text.endswith(" rewrite data using bin_pack") for text in writes), writes
    return [text.split()[1] for text in writes]


def counted(lake: Lake, table: Table) -> tuple[int, int]:
    """Data files and snapshots of a table as PyIceberg reads them."""
    loaded = lake.table(table)
    return len(loaded.inspect.data_files()), len(loaded.snapshots())


def test_small_files_are_put_together_and_the_report_is_what_the_tables_say(
    maintaining: Maintaining, through_athena: Maintaining, stand_in: AthenaOnTrino
) -> None:
    lake = through_athena.lake
    embed(maintaining.lake, batches=6)
    before, chunks = {table.name: counted(lake, table) for table in READ}, current_chunks(lake)

    done = through_athena.run(*READ, BATCH_CHUNKS)

    assert optimized(stand_in) == [DOCUMENT_EMBEDDINGS.name, DOCUMENT_VERSIONS.name]
    for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS):
        row = done[table.name]
        assert (row["is_compacted"], row["data_files_before"], row["data_files_after"]) == (True, before[table.name][0], 1)
        assert row["rows_after"] == row["rows_before"]
    for table in READ:
        row = done[table.name]
        assert (row["data_files_after"], row["snapshots_after"]) == counted(lake, table), table.name
        assert row["snapshots_expired"] > 0 and row["files_removed"] > 0, table.name
    assert current_chunks(lake) == chunks


def test_a_dry_run_asks_athena_for_no_rewrite(maintaining: Maintaining, through_athena: Maintaining, stand_in: AthenaOnTrino) -> None:
    embed(maintaining.lake, batches=6)
    before = counted(through_athena.lake, DOCUMENT_VERSIONS)
    (row,) = through_athena.run(DOCUMENT_VERSIONS, is_dry_run=True).values()
    assert (row["is_compacted"], row["are_manifests_compacted"]) == (True, False)
    assert optimized(stand_in) == []
    assert counted(through_athena.lake, DOCUMENT_VERSIONS) == before


def test_athena_is_asked_again_while_it_says_that_there_is_more(
    maintaining: Maintaining, through_athena: Maintaining, stand_in: AthenaOnTrino
) -> None:
    embed(maintaining.lake, 4, *PROFILES)
    stand_in.rounds.extend(f"profile = '{profile}'" for profile in PROFILES)
    (row,) = through_athena.run(DOCUMENT_VERSIONS).values()
    assert optimized(stand_in) == [DOCUMENT_VERSIONS.name] * 3
    assert (row["is_compacted"], row["data_files_before"], row["data_files_after"]) == (True, 8, 2)
    assert "compaction" not in (row["message"] or "")


def test_rounds_that_lead_nowhere_end_and_what_was_done_is_said(
    maintaining: Maintaining, through_athena: Maintaining, stand_in: AthenaOnTrino
) -> None:
    embed(maintaining.lake, 3, *PROFILES)
    stand_in.rounds.extend(["profile = 'small'", *["profile = 'of nobody'"] * 9])
    (row,) = through_athena.run(DOCUMENT_VERSIONS).values()
    assert optimized(stand_in) == [DOCUMENT_VERSIONS.name] * 2
    assert (row["is_compacted"], row["data_files_after"]) == (True, 4)
    assert "compaction: sql/maintenance/athena/compact_table.sql: did a part of it: ICEBERG_OPTIMIZE_MORE_RUNS_NEEDED" in row["message"]


def test_what_athena_finds_not_worth_it_is_not_reported_as_done(
    maintaining: Maintaining, through_athena: Maintaining, stand_in: AthenaOnTrino
) -> None:
    embed(maintaining.lake, batches=4)
    (row,) = through_athena.run(DOCUMENT_VERSIONS).values()
    assert optimized(stand_in) == [DOCUMENT_VERSIONS.name]
    assert (row["is_compacted"], row["data_files_before"], row["data_files_after"]) == (False, 4, 4)
    assert "compaction: athena was asked to, and found nothing worth it by its own rules" in row["message"]


def test_manifests_are_left_and_said_to_be_until_a_rewrite_empties_them(
    maintaining: Maintaining, through_athena: Maintaining, stand_in: AthenaOnTrino
) -> None:
    embed(maintaining.lake, batches=6)
    (row,) = through_athena.run(DOCUMENT_VERSIONS).values()
    assert row["are_manifests_compacted"] is False
    assert f"{row['manifests_before']} manifests, which athena has no statement to put together" in row["message"]
    # Manifests of files that are all rewritten go with the commit after it.
    embed(maintaining.lake, batches=1)
    (row,) = through_athena.run(DOCUMENT_VERSIONS).values()
    assert row["manifests_before"] < 6
