"""After many small batches with maintenance a table costs what it cost after few."""

from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, INDEX_RELEASES, SOURCE_DOCUMENTS
from tests.batches import current_chunks, put_documents, run_batch
from tests.maintenance_fixtures import Maintaining, files_of

TABLES = (SOURCE_DOCUMENTS, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)
READ = ("data_files_after", "delete_files_after", "manifests_after", "snapshots_after", "stored_files_after")


def test_files_manifests_and_snapshots_do_not_grow_with_the_batches(maintaining: Maintaining) -> None:
    lake, documents, after = maintaining.lake, {f"doc {number}": f"Text {number}." for number in range(4)}, []
    for number in range(12):
        put_documents(lake, documents | {"edited": f"Edition {number}."})
        run_batch(lake)
        if number in (5, 11):
            after.append(maintaining.run())
    early, late = after
    for table in sorted(early):
        grown = {column: (early[table][column], late[table][column]) for column in READ if late[table][column] > early[table][column] + 1}
        assert not grown, (table, grown)
    for table in TABLES:
        row = late[table.name]
        assert (row["data_files_after"], row["delete_files_after"]) == (1, 0), table.name
        assert row["manifests_after"] <= 2 and row["snapshots_after"] <= 3, row
    assert len(current_chunks(lake)) == 5
