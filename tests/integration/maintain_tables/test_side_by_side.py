"""Maintenance while batches are embedded and published, and while somebody else wins."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dev.stack import Stack
from embedding_lakehouse.clients.iceberg import ancestors, head_snapshot, tag_snapshot
from embedding_lakehouse.clients.lake import connect
from embedding_lakehouse.clients.maintenance import expire_snapshots
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS
from embedding_lakehouse.errors import ConflictError
from tests.batches import current_chunks, put_documents, run_batch
from tests.interruptions import interrupted_at_commit
from tests.maintenance_fixtures import Maintaining

TABLES = (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS)


def test_batches_are_published_while_it_runs_and_nothing_is_lost(maintaining: Maintaining) -> None:
    def embed() -> None:
        lake = connect()
        for number in range(4):
            put_documents(lake, {f"doc {one}": f"Text {one}." for one in range(number + 2)})
            run_batch(lake)

    put_documents(maintaining.lake, {"doc 0": "Text 0."})
    run_batch(maintaining.lake)
    with ThreadPoolExecutor(1) as pool:
        embedding = pool.submit(embed)
        while not embedding.done():
            # A rewrite that loses its race says so and is left for the next run.
            maintaining.run(*TABLES, small_files=2)
        embedding.result()
    maintaining.run(*TABLES, small_files=2)
    chunks = current_chunks(maintaining.lake)
    assert {text for _, text, _ in chunks.values()} == {f"Text {one}." for one in range(5)}


def test_a_lost_race_is_left_for_the_next_run_and_fails_nothing(maintaining: Maintaining) -> None:
    for number in range(3):
        put_documents(maintaining.lake, {"doc": f"Text {number}."})
        run_batch(maintaining.lake)

    class Racing:
        """The engine, but another writer wins every rewrite."""

        name = maintaining.lake.sql.name

        def execute(self, path: str, *binds: Any, **names: Any) -> int:
            raise ConflictError(f"sql/{path}.sql: another writer changed the table")

    racing = replace(maintaining, lake=replace(maintaining.lake, sql=Racing()))
    (lost,) = racing.run(DOCUMENT_EMBEDDINGS).values()
    assert "another writer changed the table" in lost["message"]
    assert (lost["is_compacted"], lost["data_files_after"]) == (False, lost["data_files_before"])
    (done,) = maintaining.run(DOCUMENT_EMBEDDINGS).values()
    assert (done["message"], done["is_compacted"], done["data_files_after"]) == (None, True, 1)


def test_nothing_is_missing_between_now_and_the_kept_moment(maintaining: Maintaining) -> None:
    for number in range(3):
        put_documents(maintaining.lake, {"doc": f"Text {number}."})
        last = run_batch(maintaining.lake).row
    table = maintaining.lake.table(DOCUMENT_VERSIONS)
    before = [one.snapshot_id for one in ancestors(table, head_snapshot(table).snapshot_id)]
    maintaining.run(DOCUMENT_VERSIONS, snapshot_age=datetime.now(UTC) - last["planned_at"], small_files=100)
    table.refresh()
    left = [one.snapshot_id for one in ancestors(table, head_snapshot(table).snapshot_id)]
    # The last batch's own snapshot, and the one that was current when it was planned.
    assert left == before[:2]


def test_a_tag_that_is_set_while_snapshots_expire_keeps_its_own(maintaining: Maintaining, trino_stack: Stack) -> None:
    for number in range(3):
        put_documents(maintaining.lake, {"doc": f"Text {number}."})
    table = maintaining.lake.table(SOURCE_DOCUMENTS)
    wanted = table.snapshots()[0].snapshot_id

    def tag() -> None:
        tag_snapshot(maintaining.lake.table(SOURCE_DOCUMENTS), "mine", wanted)

    expiring = interrupted_at_commit(maintaining.lake, trino_stack, SOURCE_DOCUMENTS.name, tag).table(SOURCE_DOCUMENTS)
    expired = expire_snapshots(expiring, (), datetime.now(UTC))
    table.refresh()
    assert expired and wanted not in expired
    assert {one.snapshot_id for one in table.snapshots()} == {wanted, head_snapshot(table).snapshot_id}
    assert table.refs()["mine"].snapshot_id == wanted
