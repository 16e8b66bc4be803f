"""What a receipt still says once maintenance let snapshots expire."""

import pytest

from embedding_lakehouse.clients.iceberg import drop_tag, head_snapshot
from embedding_lakehouse.core.hashing import chunk_id, content_hash
from embedding_lakehouse.core.receipts import Receipt
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, INDEX_RELEASES, SOURCE_DOCUMENTS, Table
from tests.integration.retrieval.conftest import History

TEXT = "Whales sing."
RECORD = chunk_id("whales.md", TEXT)


@pytest.fixture(scope="module")
def receipt(history: History) -> Receipt:
    """The receipt of an answer from a document edited since, after the source's and the ledger's snapshots of then expired."""
    run = history.embed({"whales.md": TEXT})
    answered = history.now()
    history.embed({"whales.md": "Whales hum."})
    expire(history, SOURCE_DOCUMENTS, run.row["source_snapshot"])
    expire(history, DOCUMENT_VERSIONS, run.row["versions_snapshot"])
    return history.receipt(RECORD, at=answered)


def expire(history: History, declared: Table, snapshot_id: int) -> None:
    """Let a snapshot go as maintenance does, with the tags that kept it."""
    table = history.following.lake.table(declared)
    for name in [name for name, ref in table.refs().items() if ref.snapshot_id == snapshot_id]:
        drop_tag(table, name)
    table.maintenance.expire_snapshots().by_id(snapshot_id).commit()


def test_an_expired_source_snapshot_leaves_the_passage_and_says_why_there_is_no_more(receipt: Receipt) -> None:
    assert (receipt.passage.text, receipt.version.content_hash) == (TEXT, content_hash(TEXT))
    assert (receipt.version.document_text, receipt.version.snapshot_at, receipt.version.is_text_verified) == (None, None, None)
    assert "has expired" in receipt.version.problem
    assert receipt.version.problem in receipt.remarks


def test_a_release_whose_ledger_snapshot_expired_is_told_from_what_was_published_by_then(receipt: Receipt) -> None:
    (release,) = receipt.releases
    assert (release.state, release.content_hash, release.is_exact) == ("live", content_hash(TEXT), False)


def test_a_history_of_releases_that_expired_is_said_to_be_unknown(history: History, receipt: Receipt) -> None:
    journal = history.following.lake.table(INDEX_RELEASES)
    journal.maintenance.expire_snapshots().by_ids(
        [snapshot.snapshot_id for snapshot in journal.snapshots() if snapshot != head_snapshot(journal)]
    ).commit()
    then = history.receipt(RECORD, at=receipt.batch.published_at)
    assert (then.releases, then.current_version) == ((), receipt.current_version)
    assert INDEX_RELEASES.name in then.remarks[-1]
