"""After many small batches with maintenance a table costs what it cost after few."""

from embedding_lakehouse.core.tables import BATCH_CHUNKS, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, EMBEDDING_BATCHES, SOURCE_DOCUMENTS
from tests.batches import current_chunks, put_documents, run_batch
from tests.maintenance_fixtures import Maintaining, files_of

READ = (SOURCE_DOCUMENTS, DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS)
FIGURES = ("data_files", "delete_files", "manifests", "snapshots")


def test_files_manifests_and_snapshots_do_not_grow_with_the_batches(maintaining: Maintaining) -> None:
    lake, documents, after, kept = maintaining.lake, {f"doc {number}": f"Text {number}." for number in range(4)}, [], []
    for number in range(8):
        put_documents(lake, documents | {"edited": f"Edition {number}."})
        run_batch(lake)
        if number in (3, 7):
            after.append(maintaining.run(*READ, BATCH_CHUNKS, EMBEDDING_BATCHES))
            # Of metadata files the table itself keeps the last hundred.
            kept.append({table.name: len([file for file in files_of(lake, table) if file.suffix != ".json"]) for table in READ})
    early, late = after
    for table in early:
        assert {name: late[table][f"{name}_after"] for name in FIGURES} == {name: early[table][f"{name}_after"] for name in FIGURES}, table
    assert kept[0] == kept[1]
    for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS):
        row = late[table.name]
        assert (row["data_files_after"], row["delete_files_after"]) == (1, 0), table.name
        assert row["is_compacted"] and row["data_files_before"] > 3
        assert row["manifests_after"] <= 2 < row["manifests_before"]
        assert row["snapshots_after"] < row["snapshots_before"] - 3
        assert row["stored_bytes_after"] < row["stored_bytes_before"]
    assert len(current_chunks(lake)) == 5
