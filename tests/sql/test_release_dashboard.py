"""The statement about releases where snapshots of the ledger have expired."""

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS
from tests.batches import put_documents, run_batch

FIRST = {"a": "Alpha.", "b": "Beta."}
SECOND = {"a": "Alpha anew.", "b": "Beta.", "c": "Gamma."}


def test_a_release_has_nothing_of_a_batch_published_after_it_whose_snapshot_expired(lake: Lake) -> None:
    Releases(lake).begin(settings.profile("small"), "a test")
    snapshots = []
    for documents in (FIRST, SECOND, FIRST):
        put_documents(lake, documents)
        snapshots.append(run_batch(lake).row["versions_snapshot"])
    Releases(lake).change(lambda rows: [row | {"versions_snapshot": snapshots[0]} for row in rows])
    lake.table(DOCUMENT_VERSIONS).maintenance.expire_snapshots().by_id(snapshots[1]).commit()
    rows = lake.sql.named("dashboards/versions_behind_releases")
    assert {row["doc_id"]: row["content_hash"] for row in rows} == {doc_id: content_hash(text) for doc_id, text in FIRST.items()}
