"""Which state of the source a hold of a moment keeps."""

import time
from datetime import UTC, datetime

import pytest

from embedding_lakehouse.clients.holds import HELD_TABLES, Hold
from embedding_lakehouse.clients.iceberg import drop_tag, head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, SOURCE_DOCUMENTS
from embedding_lakehouse.errors import ConfigurationError
from embedding_lakehouse.steps.hold_documents import hold_documents
from tests.batches import put_documents, run_batch
from tests.forgetting_fixtures import Forgetting
from tests.release_fixtures import Rebuilding

FIRST, SECOND, THIRD = {"a.md": "Alpha."}, {"b.md": "Beta."}, {"c.md": "Gamma."}


def held(lake: Lake) -> set[str]:
    """The documents of the source as the hold keeps it."""
    table = lake.table(SOURCE_DOCUMENTS)
    return set(table.scan(snapshot_id=table.refs()["hold-case"].snapshot_id).to_arrow()["doc_id"].to_pylist())


@pytest.fixture
def embedded(lake: Lake) -> Lake:
    """The first document is embedded, the second one was ingested since."""
    put_documents(lake, FIRST)
    run_batch(lake)
    put_documents(lake, SECOND)
    return lake


def test_a_hold_of_now_keeps_what_was_ingested_and_is_not_embedded_yet(embedded: Lake) -> None:
    hold_documents("case", "small", lake=embedded)
    assert held(embedded) == SECOND.keys()
    # What is current in the index, and gone from the source.
    assert len(Hold(embedded, "case").tags(SOURCE_DOCUMENTS)) == 2


def test_a_hold_of_a_time_keeps_what_the_source_had_by_then(embedded: Lake) -> None:
    then = datetime.now(UTC)
    # The logs count milliseconds.
    time.sleep(0.005)
    put_documents(embedded, THIRD)
    hold_documents("case", "small", as_of=then.isoformat(), lake=embedded)
    assert held(embedded) == SECOND.keys()


def test_a_hold_after_an_erasure_keeps_the_source_that_the_erasure_left(forgetting: Forgetting, rebuilding: Rebuilding) -> None:
    lake = rebuilding.lake
    put_documents(lake, FIRST | SECOND)
    run_batch(lake, rebuilding.profile.name)
    forgetting.forget(doc_ids=list(SECOND))
    hold_documents("case", rebuilding.profile.name, as_of=str(head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id), lake=lake)
    assert held(lake) == FIRST.keys()


def test_a_moment_of_which_no_source_is_left_is_refused_and_nothing_is_held(lake: Lake) -> None:
    put_documents(lake, FIRST)
    first = run_batch(lake)
    put_documents(lake, SECOND)
    source = lake.table(SOURCE_DOCUMENTS)
    for tag in source.refs().keys() - {"main"}:
        drop_tag(source, tag)
    gone = [one.snapshot_id for one in source.snapshots() if one != head_snapshot(source)]
    source.maintenance.expire_snapshots().by_ids(gone).commit()
    with pytest.raises(ConfigurationError, match=f"nothing is left of {SOURCE_DOCUMENTS.name} as of batch {first.batch_id}"):
        hold_documents("case", "small", as_of=first.batch_id, lake=lake)
    assert [Hold(lake, "case").tags(table) for table in HELD_TABLES] == [[], [], []]
